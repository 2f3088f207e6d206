// One console, from the token to its end: connects, connects again when the connection is lost, and tells its state.

import RFB from "./novnc/core/rfb.js";

import * as endings from "./endings.js";
import * as exchange from "./exchange.js";

const OPENING = 30_000;
const MOST_TRIES = 8;
const LONGEST_WAIT = 30_000;
/** Milliseconds after which a connection has been a good one: what comes then is a new trouble. */
const SETTLED = 30_000;
const POLL = 15_000;

/**
 * Calls `onChange()` whenever one of these has changed:
 * `state`: connecting, connected, reconnecting, taken_over or ended; `words`: why, for people; `again`: whether `retry`
 * can help; `server`, `viewOnly`, `viewers`, `resume`.
 * `onScreen(rfb)` is called with each new screen.
 */
export class Connection {
    state = "connecting";
    words = "";
    again = false;
    server = null;
    viewOnly = false;
    viewers = null;
    resume = null;
    rfb = null;

    #target;
    #onChange;
    #onScreen;
    #token = null;
    #socket = null;
    #tries = 0;
    #connectedAt = null;
    #timer = null;
    #attempts = 0;

    constructor(target, { onChange, onScreen }) {
        this.#target = target;
        this.#onChange = onChange;
        this.#onScreen = onScreen;
        window.addEventListener("online", () => this.state === "reconnecting" && this.#attempt());
        window.setInterval(() => this.#poll(), POLL);
        document.addEventListener("visibilitychange", () => this.#poll());
    }

    /** Begin, with a console token, a resume token or a link's. */
    open(token) {
        this.#token = token;
        this.retry();
    }

    /** Connect now: after an end, or sooner than by itself. */
    retry() {
        this.#tries = 0;
        this.#attempt();
    }

    /** Say that there is nothing to open. */
    refuse(words) {
        this.#end(words, false);
    }

    async #attempt() {
        window.clearTimeout(this.#timer);
        this.#attempts += 1;
        const mine = this.#attempts;
        this.#drop();
        this.#become(this.#tries === 0 ? "connecting" : "reconnecting", { words: this.words });
        let session;
        try {
            session = await exchange.session(this.#token);
        } catch (err) {
            if (mine === this.#attempts) {
                this.#refused(err);
            }
            return;
        }
        if (mine !== this.#attempts) {
            return;
        }
        this.#token = session.resume;
        this.resume = session.resume;
        this.server = session.server;
        this.viewOnly = session.view_only;
        this.#onChange();
        this.#connect(session.url);
    }

    #connect(url) {
        const socket = new WebSocket(url);
        this.#socket = socket;
        socket.addEventListener("close", (event) => this.#socket === socket && this.#closed(event));
        this.#timer = window.setTimeout(() => this.#lost("The console does not answer."), OPENING);
        const rfb = new RFB(this.#target, socket, { shared: true });
        this.rfb = rfb;
        rfb.viewOnly = this.viewOnly;
        rfb.background = "transparent";
        rfb.addEventListener("connect", () => {
            window.clearTimeout(this.#timer);
            this.#connectedAt = performance.now();
            this.#onScreen(rfb);
            this.#become("connected");
            this.#poll();
        });
        rfb.addEventListener("disconnect", () => {
            if (this.rfb === rfb) {
                this.rfb = null;
            }
        });
        // the proxy has done what a console asks for; what asks more is none of ours
        rfb.addEventListener("credentialsrequired", () => this.#end("The console asks for a password.", true));
        rfb.addEventListener("securityfailure", () => this.#end("The console refused the connection.", true));
    }

    #closed(event) {
        const ending = endings.read(event.code, event.reason);
        if (ending.kind === "passing") {
            this.#lost(ending.words);
        } else if (ending.kind === "taken_over") {
            this.#drop();
            this.#become("taken_over", { words: ending.words, again: this.#token !== null });
        } else {
            this.#end(ending.words, this.#token !== null);
        }
    }

    #refused(err) {
        if (!(err instanceof exchange.Refused)) {
            throw err;
        }
        if (err.passing) {
            this.#lost(err.message);
        } else if (err.status === 409) {
            // what the server's state forbids may be allowed later
            this.#end(err.message, true);
            this.#poll();
        } else {
            this.resume = null;
            this.#end(err.message, false);
        }
    }

    #lost(words) {
        if (this.#connectedAt !== null && performance.now() - this.#connectedAt > SETTLED) {
            this.#tries = 0;
        }
        this.#drop();
        this.#tries += 1;
        if (this.#token === null || this.#tries > MOST_TRIES) {
            this.#end(words, this.#token !== null);
            return;
        }
        const wait = Math.min(LONGEST_WAIT, 1000 * 2 ** (this.#tries - 1)) * (0.75 + Math.random() / 2);
        this.#become("reconnecting", { words });
        this.#timer = window.setTimeout(() => this.#attempt(), wait);
    }

    #end(words, again) {
        this.#drop();
        this.#become("ended", { words, again });
    }

    #drop() {
        window.clearTimeout(this.#timer);
        const rfb = this.rfb;
        this.#socket = null;
        this.rfb = null;
        this.#connectedAt = null;
        rfb?.disconnect();
    }

    #become(state, { words = "", again = false } = {}) {
        this.state = state;
        this.words = words;
        this.again = again;
        this.#onChange();
    }

    async #poll() {
        if (document.visibilityState !== "visible" || this.resume === null || this.state === "connecting") {
            return;
        }
        const shown = this.resume;
        let told;
        try {
            told = await exchange.status(shown);
        } catch (err) {
            if (!(err instanceof exchange.Refused)) {
                throw err;
            }
            // a token that is good no more is not shown again; meanwhile there may be another
            if (err.status === 403 && this.resume === shown) {
                this.resume = null;
                this.#onChange();
            }
            return;
        }
        const before = this.server?.status;
        this.server = told.server;
        this.viewers = told.viewers;
        this.#onChange();
        const started = before !== "ACTIVE" && told.server.status === "ACTIVE";
        if (started && this.state === "ended" && this.again) {
            this.retry();
        }
    }
}
