// The view of one invocation.

import { duration, kind, make, size, time } from "./dom.js";

const TABS = ["Event", "Scope", "Result", "Answer", "Log"];
const MAX_COLOURED = 60000; // characters; beyond that the text stays plain
const TOKENS =
    /(b?"(?:[^"\\]|\\.)*"|b?'(?:[^'\\]|\\.)*')(\s*:)?|\b(?:true|false|null|True|False|None)\b|-?\b\d+(?:\.\d+)?(?:e[+-]?\d+)?\b/gi;

let tab = "Event";
let edition = "2026";

export function chosenEdition() {
    return edition;
}

/** Fills the element. `actions` has `close`, `replay`, `reload` and `select`. */
export function show(aside, it, actions) {
    const isNew = aside.dataset.number !== String(it.number);
    const scroll = isNew ? 0 : aside.scrollTop;
    const focused = aside.contains(document.activeElement) ? document.activeElement.id : "";
    aside.dataset.number = it.number;
    aside.replaceChildren(
        head(it, actions),
        facts(it, actions),
        timings(it),
        ...trouble(it),
        tabs(it, actions),
        panel(it, actions),
    );
    aside.hidden = false;
    aside.scrollTop = scroll;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

function head(it, actions) {
    return make(
        "header",
        {},
        make(
            "div",
            { class: "title" },
            make(
                "h2",
                {},
                make("span", { class: "method" }, it.method),
                " ",
                make("span", { class: "path" }, it.path),
            ),
            make(
                "button",
                {
                    id: "close",
                    type: "button",
                    class: "plain",
                    "aria-label": "Close",
                    click: actions.close,
                },
                "✕",
            ),
        ),
        make(
            "div",
            { class: "actions" },
            make(
                "span",
                { class: `badge ${kind(it)}` },
                it.finished ? `${it.status ?? "no answer"}` : "running",
            ),
            make(
                "button",
                { id: "replay", type: "button", class: "main", click: actions.replay },
                "Replay",
            ),
            make(
                "a",
                {
                    id: "download",
                    class: "button",
                    href: `/_mangum/api/invocations/${it.number}.json`,
                    download: true,
                },
                "Download",
            ),
            make(
                "a",
                {
                    id: "download-event",
                    class: "button",
                    href: `/_mangum/api/invocations/${it.number}.event.json`,
                    download: true,
                    title: "The event alone: mangum invoke app:handler FILE runs it",
                },
                "Event only",
            ),
        ),
        make("p", { id: "replay-state", role: "status", class: "hint" }),
    );
}

function facts(it, actions) {
    const pairs = [
        ["invocation", `#${it.number}`],
        ["at", time(it.started_s)],
        ["source", it.source],
        ["environment", it.environment ?? "–"],
        ["memory", size(it.memory_bytes) || "–"],
        ["request id", it.request_id],
    ];
    const list = make("dl", { class: "facts" });
    for (const [name, value] of pairs) list.append(pair(name, String(value)));
    if (it.replay_of !== null) {
        const link = make(
            "a",
            { href: `#${it.replay_of}`, click: () => actions.select(it.replay_of) },
            `#${it.replay_of}`,
        );
        list.append(pair("replay of", link));
    }
    return list;
}

function pair(name, value) {
    return make("div", {}, make("dt", {}, name), make("dd", {}, value));
}

function timings(it) {
    if (!it.finished) return make("p", { class: "hint timings" }, "The function is at work.");
    const inside = it.duration_s ?? 0;
    const wasEarlier = (it.init_s ?? 0) + inside > it.total_s; // the environment was started in advance
    const init = wasEarlier ? 0 : (it.init_s ?? 0);
    const rest = Math.max(it.total_s - init - inside, 0);
    const parts = [
        ["init", init],
        ["function", inside],
        ["gateway", rest],
    ].filter(([, seconds]) => seconds > 0);
    const line = make("div", { class: "timeline", "aria-hidden": "true" });
    const words = make("ul", { class: "legend" });
    for (const [name, seconds] of parts) {
        const part = make("span", { class: name });
        part.style.flexGrow = seconds / it.total_s; // by script: the policy forbids style attributes
        line.append(part);
        words.append(make("li", {}, make("i", { class: name }), `${name} ${duration(seconds)}`));
    }
    if (wasEarlier)
        words.append(
            make("li", { class: "before" }, `init ${duration(it.init_s)}, before the request`),
        );
    words.append(make("li", { class: "total" }, `total ${duration(it.total_s)}`));
    return make("div", { class: "timings" }, line, words);
}

function trouble(it) {
    const boxes = [];
    const isSame =
        it.fault && it.reason === [it.fault.type, it.fault.message.text].filter(Boolean).join(": ");
    if (it.reason && !isSame) boxes.push(make("p", { class: "reason" }, it.reason));
    if (it.fault) {
        const { type, message, stack_trace: trace } = it.fault;
        boxes.push(
            make(
                "div",
                { class: "fault" },
                make("p", {}, make("strong", {}, type), message.text ? `: ${message.text}` : ""),
                trace.text
                    ? make("pre", { tabindex: "0", "aria-label": "Traceback" }, trace.text)
                    : null,
                trace.note ? make("p", { class: "hint" }, trace.note) : null,
            ),
        );
    }
    return boxes;
}

function tabs(it, actions) {
    const list = make("div", { role: "tablist", class: "tabs", "aria-label": "What is shown" });
    for (const name of TABS) {
        const isChosen = name === tab;
        const isEmpty = { Result: !it.result, Answer: !it.answer, Log: !it.log.text }[name];
        list.append(
            make(
                "button",
                {
                    id: `tab-${name}`,
                    type: "button",
                    role: "tab",
                    class: isEmpty ? "empty-tab" : null,
                    "aria-selected": String(isChosen),
                    "aria-controls": "tab-panel",
                    tabindex: isChosen ? "0" : "-1",
                    click: () => choose(name, actions),
                    keydown: (event) => move(event, name, actions),
                },
                name,
            ),
        );
    }
    return list;
}

function choose(name, actions) {
    tab = name;
    actions.reload();
    document.getElementById(`tab-${name}`).focus();
}

function move(event, name, actions) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(TABS[(TABS.indexOf(name) + step + TABS.length) % TABS.length], actions);
}

function panel(it, actions) {
    const parts = {
        Event: () => text(it.event, "json"),
        Scope: () => scope(it.scope, actions),
        Result: () =>
            it.result ? text(it.result, "json") : hint(it, "The function returned nothing."),
        Answer: () => (it.answer ? answer(it.answer) : hint(it, "There was no answer.")),
        Log: () => (it.log.text ? text(it.log) : hint(it, "The function printed nothing.")),
    };
    const attributes = { id: "tab-panel", role: "tabpanel", "aria-labelledby": `tab-${tab}` };
    return make("div", attributes, ...[parts[tab]()].flat());
}

function hint(it, words) {
    return make("p", { class: "hint" }, it.finished ? words : "Not yet: the function is at work.");
}

function scope(it, actions) {
    const choice = make("select", {
        id: "edition",
        change: (event) => {
            edition = event.target.value;
            actions.refetch();
        },
    });
    for (const name of ["2026", "classic"]) {
        choice.append(make("option", { value: name, selected: name === it.edition }, name));
    }
    const words = "Options of the function's own, such as a base path, may make it differ.";
    return [
        make(
            "p",
            { class: "hint" },
            make("label", {}, "What the application sees in edition ", choice),
            ". ",
            words,
        ),
        ...text(it, "python"),
    ];
}

function answer(it) {
    const headers = make("table", { class: "headers", "aria-label": "Headers" });
    for (const [name, value] of it.headers) {
        headers.append(make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
    }
    const streamed = it.streamed ? make("p", { class: "hint" }, "The body was streamed.") : null;
    const body =
        it.body.text || it.body.note
            ? text(it.body, "json")
            : [make("p", { class: "hint" }, "No body.")];
    return [
        make("p", { class: "status-line" }, `${it.status} ${it.phrase}`),
        headers,
        ...(streamed ? [streamed] : []),
        ...body,
    ];
}

function text(it, language) {
    const pieces = [];
    if (it.note) pieces.push(make("p", { class: "hint note" }, it.note));
    if (!it.text) return pieces;
    const code = make("pre", { tabindex: "0", class: "code" });
    if (language && it.text.length <= MAX_COLOURED) code.append(...coloured(it.text));
    else code.textContent = it.text;
    const copy = make(
        "button",
        {
            type: "button",
            class: "copy",
            click: async (event) => {
                const button = event.currentTarget;
                button.textContent = await navigator.clipboard.writeText(it.text).then(
                    () => "Copied",
                    () => "Not allowed",
                );
                setTimeout(() => (button.textContent = "Copy"), 1500);
            },
        },
        "Copy",
    );
    pieces.push(make("div", { class: "code-box" }, navigator.clipboard ? copy : null, code));
    return pieces;
}

function coloured(source) {
    const pieces = [];
    let end = 0;
    for (const found of source.matchAll(TOKENS)) {
        pieces.push(source.slice(end, found.index));
        const [all, string, colon] = found;
        if (string) {
            pieces.push(make("span", { class: colon ? "key" : "string" }, string), colon ?? "");
        } else {
            pieces.push(make("span", { class: "literal" }, all));
        }
        end = found.index + all.length;
    }
    pieces.push(source.slice(end));
    return pieces;
}
