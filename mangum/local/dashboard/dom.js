// Elements made of plain values. Whatever comes from a request is a text here, never markup.

/** `make("a", { href: "…", class: "link" }, "text", element, null)` */
export function make(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}

/** The same for SVG. */
export function draw(name, attributes = {}, ...children) {
    return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) {
        if (typeof value === "function") {
            element.addEventListener(name, value);
        } else if (value !== null && value !== undefined && value !== false) {
            element.setAttribute(name, value === true ? "" : value);
        }
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
}

/** `0.0123` → `12 ms` */
export function duration(seconds) {
    if (seconds === null || seconds === undefined) return "";
    const ms = Math.max(seconds, 0) * 1000;
    if (ms < 0.95) return `${ms.toFixed(2)} ms`;
    if (ms < 9.95) return `${ms.toFixed(1)} ms`;
    if (ms < 999.5) return `${Math.round(ms)} ms`;
    return ms < 99950
        ? `${(ms / 1000).toFixed(ms < 9995 ? 2 : 1)} s`
        : `${Math.round(ms / 1000)} s`;
}

export function size(bytes) {
    if (bytes === null || bytes === undefined) return "";
    const mb = bytes / 1048576;
    return mb < 1
        ? `${Math.max(1, Math.round(bytes / 1024))} KB`
        : `${mb.toFixed(mb < 10 ? 1 : 0)} MB`;
}

/** The local time of a number of seconds since 1970: `14:03:07` */
export function time(seconds) {
    return new Date(seconds * 1000).toLocaleTimeString([], { hourCycle: "h23" });
}

/** `"good"`, `"moved"`, `"refused"`, `"bad"` or `"running"` */
export function kind(invocation) {
    if (!invocation.finished) return "running";
    if (invocation.failed || invocation.status >= 500) return "bad";
    if (invocation.status >= 400) return "refused";
    return invocation.status >= 300 ? "moved" : "good";
}
