// Asks for the state again and again, and shows it.

import { chart } from "./chart.js";
import { chosenEdition, show } from "./detail.js";
import { duration, kind, make, size, time } from "./dom.js";

const API = "/_mangum/api";
const PAUSE_MS = 500;
const RETRY_MS = 1500;

const $ = (id) => document.getElementById(id);
const rows = new Map(); // number → { element, signature }
let state = { invocations: [], environments: [], connections: null, info: {} };
let version = "";
let selected = null;
let shown = null; // the details of it
let awaited = 0;

// --- asking ---------------------------------------------------------------------------------------

async function poll() {
    if (document.hidden)
        return void document.addEventListener("visibilitychange", poll, { once: true });
    let pause = PAUSE_MS;
    try {
        const reply = await fetch(`${API}/state?since=${version}`, { cache: "no-store" });
        if (reply.status === 200) {
            state = await reply.json();
            version = state.version;
            render();
        } else if (reply.status !== 204) {
            throw new Error(await reply.text());
        }
        live("live", "live");
    } catch (error) {
        live("lost", error instanceof TypeError ? "the gateway is not reachable" : error.message);
        pause = RETRY_MS;
    }
    setTimeout(poll, pause);
}

function live(name, words) {
    const element = $("live");
    if (element.textContent === words) return;
    element.className = name;
    element.textContent = words;
}

async function fetchDetail() {
    const number = selected;
    const turn = ++awaited;
    if (number === null) return;
    const reply = await fetch(`${API}/invocations/${number}?edition=${chosenEdition()}`, {
        cache: "no-store",
    }).catch(() => null);
    if (turn !== awaited) return; // another one was chosen meanwhile
    if (reply?.ok) {
        shown = await reply.json();
        if (turn === awaited) show($("detail"), shown, actions);
    } else if (reply?.status === 404) {
        select(null);
    }
}

async function replay() {
    const number = selected;
    const button = $("replay");
    button.disabled = true;
    $("replay-state").textContent = "The function is called with the same event …";
    try {
        const reply = await fetch(`${API}/invocations/${number}/replay`, {
            method: "POST",
            headers: { "X-Mangum": "1" },
        });
        if (!reply.ok) throw new Error(await reply.text());
        const { number: made } = await reply.json();
        if (selected === number) select(made);
    } catch (error) {
        if ($("replay-state"))
            $("replay-state").textContent = `It could not be replayed: ${error.message}`;
    } finally {
        if ($("replay")) $("replay").disabled = false;
    }
}

const actions = {
    close: () => {
        const row = rows.get(selected)?.element;
        select(null);
        row?.focus();
    },
    replay,
    reload: () => show($("detail"), shown, actions),
    refetch: fetchDetail,
    select,
};

function select(number) {
    if (number === selected) return;
    rows.get(selected)?.element.setAttribute("aria-selected", "false");
    selected = number;
    rows.get(selected)?.element.setAttribute("aria-selected", "true");
    document.body.classList.toggle("with-detail", number !== null);
    const fragment = number === null ? " " : `#${number}`;
    if (location.hash !== fragment.trim())
        history.replaceState(null, "", fragment.trim() || location.pathname);
    if (number === null) $("detail").hidden = true;
    fetchDetail();
    renderChart();
}

// --- showing --------------------------------------------------------------------------------------

function render() {
    renderInfo();
    renderEnvironments();
    renderConnections();
    renderFigures();
    renderRows();
    renderChart();
}

function renderInfo() {
    $("info").replaceChildren(
        ...Object.entries(state.info).map(([name, value]) =>
            make("div", {}, make("dt", {}, name), make("dd", {}, value)),
        ),
    );
    const words = state.info.function;
    document.title = words ? `${words} · mangum serve` : "mangum serve";
}

function renderEnvironments() {
    $("environment-count").textContent = state.environments.length || "";
    const cards = state.environments.map((it) =>
        card(it.state, `#${it.number}`, it.state, [
            `${it.invocations} ${it.invocations === 1 ? "invocation" : "invocations"}`,
            size(it.memory_bytes),
            it.pid === null ? "" : `pid ${it.pid}`,
            `since ${time(it.started_s)}`,
        ]),
    );
    const none = make("li", { class: "none" }, "None runs: the next request starts one.");
    $("environments").replaceChildren(...(cards.length ? cards : [none]));
}

function renderConnections() {
    $("sockets").hidden = !state.connections?.length;
    const all = state.connections ?? [];
    $("connection-count").textContent = all.length || "";
    $("connections").replaceChildren(
        ...all.map((it) =>
            card(it.state, it.id, it.state, [
                `${it.messages_in} in, ${it.messages_out} out`,
                it.client,
                `since ${time(it.connected_s)}`,
            ]),
        ),
    );
}

function card(name, title, words, lines) {
    return make(
        "li",
        { class: `card ${/^\w+$/.test(name) ? name : ""}` },
        make(
            "p",
            { class: "card-title" },
            make("b", {}, title),
            make("span", { class: "state" }, words),
        ),
        make("p", { class: "card-lines" }, lines.filter(Boolean).join(" · ")),
    );
}

function renderFigures() {
    const done = state.invocations.filter((it) => it.finished);
    $("latency").hidden = !done.length;
    if (!done.length) return;
    const sorted = done.map((it) => it.total_s).sort((a, b) => a - b);
    const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    const figures = [
        ["median", duration(at(0.5))],
        ["95 of 100 under", duration(at(0.95))],
        ["slowest", duration(sorted[sorted.length - 1])],
        ["cold starts", done.filter((it) => it.init_s !== null).length],
        ["failed", done.filter((it) => kind(it) === "bad").length],
    ];
    $("figures").replaceChildren(
        ...figures.map(([name, value]) =>
            make("div", {}, make("dt", {}, name), make("dd", {}, String(value))),
        ),
    );
}

function renderChart() {
    if (!$("latency").hidden) chart($("chart"), state.invocations, selected, select);
}

function renderRows() {
    const words = $("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const all = [...state.invocations].reverse();
    const fitting = all.filter((it) => fits(it, words));
    const kept = new Set(all.map((it) => it.number));
    for (const number of rows.keys()) if (!kept.has(number)) rows.delete(number);
    const elements = fitting.map(row);
    const body = $("rows");
    if (
        elements.length !== body.children.length ||
        elements.some((it, index) => it !== body.children[index])
    ) {
        const focused = document.activeElement;
        const hadFocus = body.contains(focused);
        body.replaceChildren(...elements);
        if (hadFocus && focused.isConnected) focused.focus({ preventScroll: true });
    }
    keepOneStop(elements);
    $("empty").hidden = all.length > 0;
    $("nothing").hidden = !all.length || fitting.length > 0;
    $("table").hidden = $("keys").hidden = !fitting.length;
    const last = all.length === state.capacity ? `the last ${all.length}` : `${all.length}`;
    $("count").textContent = !all.length
        ? ""
        : words.length
          ? `${fitting.length} of ${last}`
          : last;
}

function fits(it, words) {
    const text =
        `#${it.number} ${it.method} ${it.path} ${it.status ?? ""} ${it.source} ${it.reason}`.toLowerCase();
    return words.every((word) => {
        if (/^[1-5]xx$/.test(word)) return Math.floor(it.status / 100) === Number(word[0]);
        if (word === "cold") return it.init_s !== null;
        if (word === "failed") return kind(it) === "bad";
        return text.includes(word);
    });
}

/** The row of an invocation: the one that is there already, unless something has changed. */
function row(it) {
    const signature = JSON.stringify(it);
    const old = rows.get(it.number);
    if (old?.signature === signature) return old.element;
    const element = make(
        "tr",
        {
            tabindex: "-1",
            "aria-selected": String(it.number === selected),
            "data-number": it.number,
            title: it.reason || null,
            click: () => select(it.number),
        },
        make("td", { class: "number dim" }, String(it.number)),
        make("td", { class: "method" }, it.method),
        make(
            "td",
            { class: "path" },
            make("span", {}, it.path),
            it.replay_of === null ? null : mark(`replay of #${it.replay_of}`),
        ),
        make(
            "td",
            {},
            make(
                "span",
                { class: `badge ${kind(it)}` },
                it.finished ? String(it.status ?? "–") : "…",
            ),
        ),
        make("td", { class: "source dim" }, it.source),
        make(
            "td",
            { class: "number environment dim" },
            it.environment === null ? "" : `#${it.environment}`,
        ),
        make("td", { class: "number" }, duration(it.duration_s ?? it.total_s)),
        make(
            "td",
            { class: "number" },
            it.init_s === null ? "" : make("span", { class: "cold-mark" }, duration(it.init_s)),
        ),
        make("td", { class: "number memory dim" }, size(it.memory_bytes)),
        make("td", { class: "number time dim" }, time(it.started_s)),
    );
    if (old && document.activeElement === old.element)
        setTimeout(() => element.focus({ preventScroll: true }));
    rows.set(it.number, { element, signature });
    if (old && it.number === selected) fetchDetail();
    return element;
}

function mark(words) {
    return make("small", { class: "mark" }, words);
}

/** Of all the rows one is reached by Tab; the arrows lead from there to the others. */
function keepOneStop(elements) {
    const isStop = (it) => it.tabIndex === 0;
    const stop = elements.find(isStop) ?? rows.get(selected)?.element ?? elements[0];
    for (const it of elements) if (it !== stop && isStop(it)) it.tabIndex = -1;
    if (stop) stop.tabIndex = 0;
}

// --- keys and addresses ---------------------------------------------------------------------------

$("rows").addEventListener("keydown", (event) => {
    const current = event.target.closest("tr");
    const all = [...$("rows").children];
    const index = all.indexOf(current);
    const target = { ArrowDown: index + 1, ArrowUp: index - 1, Home: 0, End: all.length - 1 }[
        event.key
    ];
    if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        select(Number(current.dataset.number));
    } else if (target !== undefined && all[target]) {
        event.preventDefault();
        current.tabIndex = -1;
        all[target].tabIndex = 0;
        all[target].focus();
        if (selected !== null) select(Number(all[target].dataset.number));
    }
});

document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && !event.target.closest("input, select, textarea")) {
        event.preventDefault();
        $("filter").focus();
    } else if (event.key === "Escape" && event.target === $("filter") && $("filter").value) {
        $("filter").value = "";
        renderRows();
    } else if (event.key === "Escape" && selected !== null) {
        actions.close();
    }
});

$("filter").addEventListener("input", renderRows);
new ResizeObserver(renderChart).observe($("chart"));

function followAddress() {
    const number = /^#\d{1,15}$/.test(location.hash) ? Number(location.hash.slice(1)) : null;
    if (number !== selected) select(number);
}

$("origin").textContent = $("origin").href = `${location.origin}/`;
$("curl").textContent = `curl -i ${location.origin}/`;
addEventListener("hashchange", followAddress);
followAddress();
poll();
