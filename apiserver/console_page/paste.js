// The dialog that types a text on the guest.

import { nameOf, plan } from "./keystrokes.js";
import { PACES, type } from "./typing.js";

export class Paste {
    #connection;
    #typing = null;

    constructor(connection) {
        this.#connection = connection;
        element("paste").addEventListener("click", () => this.#open());
        element("paste-cancel").addEventListener("click", () => this.#cancel());
        element("paste-form").addEventListener("submit", (event) => {
            event.preventDefault();
            this.#send();
        });
        element("text").addEventListener("input", () => this.#check());
        for (const list of document.querySelectorAll("select.layout")) {
            list.addEventListener("input", () => this.#check());
        }
        element("paste-dialog").addEventListener("cancel", (event) => {
            event.preventDefault();
            this.#cancel();
        });
    }

    /** Follow the connection: nothing is typed without one. */
    show() {
        if (this.#connection.state !== "connected") {
            this.#typing?.abort();
        }
        this.#enable();
    }

    #open() {
        this.#showProgress(null);
        this.#check();
        element("paste-dialog").showModal();
        element("text").focus();
    }

    #cancel() {
        if (this.#typing) {
            this.#typing.abort();
        } else {
            this.#close();
        }
    }

    // a text may be a password: it does not stay
    #close() {
        element("text").value = "";
        element("paste-dialog").close();
        this.#connection.rfb?.focus();
    }

    #plan() {
        return plan(element("text").value, element("paste-form").querySelector(".layout").value);
    }

    #check() {
        const { missing } = this.#plan();
        element("missing").hidden = missing.length === 0;
        element("missing").textContent =
            missing.length === 0 ? "" : `This layout can't type: ${missing.map(nameOf).join(", ")}. Nothing is sent.`;
        this.#enable();
    }

    #enable() {
        const { strokes, missing } = this.#plan();
        const able = this.#connection.state === "connected" && strokes.length > 0 && missing.length === 0;
        element("paste-send").disabled = this.#typing !== null || !able;
        for (const field of element("paste-form").querySelectorAll("textarea, select")) {
            field.disabled = this.#typing !== null;
        }
        element("paste-cancel").textContent = this.#typing ? "Stop" : "Cancel";
    }

    async #send() {
        const { strokes, missing } = this.#plan();
        const rfb = this.#connection.rfb;
        if (this.#typing || missing.length > 0 || rfb === null) {
            return;
        }
        this.#typing = new AbortController();
        this.#enable();
        element("paste-cancel").focus();
        const total = strokes.length;
        this.#showProgress({ count: 0, total });
        const count = await type(strokes, ({ keysym, code, down }) => rfb.sendKey(keysym, code, down), {
            pace: PACES[element("pace").value],
            signal: this.#typing.signal,
            onProgress: (done) => this.#showProgress({ count: done, total }),
        });
        this.#typing = null;
        this.#enable();
        if (count === total) {
            this.#close();
        } else {
            element("count").textContent = `Stopped after ${count} of ${total} characters.`;
            element("text").focus();
        }
    }

    #showProgress(progress) {
        element("progress").hidden = progress === null;
        if (progress !== null) {
            element("bar").value = progress.count / progress.total;
            element("count").textContent = `${progress.count} of ${progress.total} characters`;
        }
    }
}

function element(id) {
    return document.getElementById(id);
}
