// What the page says: who, in what state, and over the screen what to do about it.

const STATES = {
    connecting: "Connecting",
    connected: "Connected",
    reconnecting: "Reconnecting",
    taken_over: "Taken over",
    ended: "Ended",
};
const TITLES = {
    connecting: "Connecting …",
    reconnecting: "Reconnecting …",
    taken_over: "Another viewer has taken over",
    ended: "The console has ended",
};
const NONE = "The console can't be opened";
const BUTTONS = { reconnecting: "Try now", taken_over: "Take it back", ended: "Connect again" };
const NOTE = 4000;

export class View {
    onRetry = () => {};

    #timer = null;

    constructor() {
        element("retry").addEventListener("click", () => this.onRetry());
    }

    /** Show a connection as it is. */
    show({ state, words, again, server, viewOnly, viewers }) {
        document.body.dataset.state = state;
        document.body.toggleAttribute("data-view-only", viewOnly);
        const name = server?.name || "Console";
        const stopped = server !== null && server.status !== "ACTIVE" ? `, server ${server.status}` : "";
        document.title = server ? `${name} – console` : "Console";
        write("name", name);
        write("state", `${STATES[state]}${stopped}`);
        element("badge").hidden = !viewOnly;
        element("viewers").hidden = !(viewers > 1);
        write("viewers", `${viewers} viewers`);
        const waiting = state === "connecting" || state === "reconnecting";
        element("notice").hidden = state === "connected";
        element("spinner").hidden = !waiting;
        // without a server there was no console that could have ended
        write("notice-title", state === "ended" && server === null ? NONE : (TITLES[state] ?? ""));
        write("notice-words", words);
        const retry = element("retry");
        const offered = state === "reconnecting" || again;
        const appeared = offered && retry.hidden;
        retry.hidden = !offered;
        retry.textContent = BUTTONS[state] ?? "";
        if (appeared && document.activeElement === document.body) {
            retry.focus();
        }
    }

    /** Say something in passing. */
    say(words) {
        write("note", words);
        window.clearTimeout(this.#timer);
        this.#timer = window.setTimeout(() => write("note", ""), NOTE);
    }
}

function element(id) {
    return document.getElementById(id);
}

// a live region is read out whenever it is written: the same is not written twice
function write(id, words) {
    const found = element(id);
    if (found.textContent !== words) {
        found.textContent = words;
    }
}
