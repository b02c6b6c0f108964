// The picture of latency: a mark for each invocation that is through, the newest on the right.

import { draw, duration, kind, time } from "./dom.js";

const HEIGHT = 150;
const LEFT = 58;
const RIGHT = 14;
const TOP = 12;
const BOTTOM = 24;
const MAX_STEP = 24; // pixels between two marks, when there are few
const TICKS_S = [0.0001, 0.001, 0.01, 0.1, 1, 10, 100, 1000];

/** Draws anew; `select` is called with the number of a mark that is clicked. */
export function chart(svg, invocations, selected, select) {
    const width = Math.max(svg.clientWidth, 240);
    const done = invocations.filter((it) => it.finished);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute("height", HEIGHT);
    const y = scale(done.map((it) => it.total_s));
    const room = width - LEFT - RIGHT;
    const step = Math.min(MAX_STEP, room / Math.max(done.length - 1, 1));
    const x = (index) => width - RIGHT - (done.length - 1 - index) * step;
    svg.replaceChildren(
        ...y.ticks.map((tick) => rule(tick, y.of(tick), width)),
        ...times(done, x, step),
        ...done.map((it, index) =>
            mark(it, x(index), y.of(it.total_s), it.number === selected, select),
        ),
    );
    const cold = done.filter((it) => it.init_s !== null).length;
    svg.setAttribute(
        "aria-label",
        `Latency of ${done.length} invocations, ${cold} of them with a cold start. The table has the values.`,
    );
}

function scale(seconds) {
    const values = seconds.map((it) => Math.max(it, TICKS_S[0]));
    const least = Math.min(...values, 0.01);
    const most = Math.max(...values, 0.02);
    const low = Math.log10(least) - 0.12;
    const high = Math.log10(most) + 0.12;
    const room = HEIGHT - TOP - BOTTOM;
    return {
        of: (it) => TOP + room * (1 - (Math.log10(Math.max(it, least)) - low) / (high - low)),
        ticks: TICKS_S.filter((it) => Math.log10(it) >= low && Math.log10(it) <= high),
    };
}

function rule(tick, y, width) {
    const label = tick < 1 ? `${+(tick * 1000).toFixed(1)} ms` : `${tick} s`;
    return draw(
        "g",
        { class: "rule" },
        draw("line", { x1: LEFT, x2: width, y1: y, y2: y }),
        draw("text", { x: LEFT - 10, y: y + 3.5, "text-anchor": "end" }, label),
    );
}

function times(done, x, step) {
    const labels = [];
    const every = Math.ceil(130 / step);
    for (let index = done.length - 1; index >= 0; index -= every) {
        const isLast = index === done.length - 1;
        if (!isLast && x(index) < LEFT + 25) break;
        const attributes = {
            x: x(index),
            y: HEIGHT - 6,
            "text-anchor": isLast ? "end" : "middle",
            class: "clock",
        };
        labels.push(draw("text", attributes, time(done[index].started_s)));
    }
    return labels;
}

function mark(it, x, y, isSelected, select) {
    const init = it.init_s === null ? "" : `, of which init ${duration(it.init_s)}`;
    const words = `#${it.number} ${it.method} ${it.path} → ${it.status ?? "–"}, ${duration(it.total_s)}${init}`;
    return draw(
        "g",
        { class: `mark${isSelected ? " selected" : ""}`, click: () => select(it.number) },
        draw("title", {}, words),
        it.init_s === null
            ? null
            : draw("line", { x1: x, x2: x, y1: y, y2: HEIGHT - BOTTOM, class: "stem" }),
        isSelected ? draw("circle", { cx: x, cy: y, r: 9, class: "halo" }) : null,
        shape(it, x, y),
        draw("circle", { cx: x, cy: y, r: 9, class: "target" }),
    );
}

function shape(it, x, y) {
    if (kind(it) === "bad")
        return draw("path", { d: `M${x - 4} ${y - 4}l8 8m0-8l-8 8`, class: "bad" });
    if (it.init_s !== null)
        return draw("path", { d: `M${x} ${y - 6}l6 6-6 6-6-6z`, class: "cold" });
    return draw("circle", { cx: x, cy: y, r: 3.5, class: "ok" });
}
