// The on-screen keyboard of a touch device: it gives characters, which are typed as the guest's layout needs.

import KeyTable from "./novnc/core/input/keysym.js";

import { nameOf, plan } from "./keystrokes.js";

/** What the field holds before anything is typed: something for Backspace to take away. */
const FILLER = "_".repeat(32);

export class SoftKeyboard {
    #connection;
    #view;
    #before = FILLER;

    constructor(connection, view) {
        this.#connection = connection;
        this.#view = view;
        const touch = window.matchMedia("(any-pointer: coarse)");
        const offer = () => (element("soft").hidden = !touch.matches);
        touch.addEventListener("change", offer);
        offer();
        element("soft").addEventListener("click", () => this.#open());
        element("soft-input").addEventListener("input", (event) => this.#changed(event.isComposing));
        element("soft-input").addEventListener("compositionend", () => this.#changed(false));
    }

    /** Follow the connection. */
    show() {
        element("soft-input").disabled = this.#connection.state !== "connected" || this.#connection.viewOnly;
    }

    #open() {
        this.#reset();
        element("soft-input").focus();
    }

    #reset() {
        const field = element("soft-input");
        field.value = FILLER;
        field.setSelectionRange(FILLER.length, FILLER.length);
        this.#before = FILLER;
    }

    // a keyboard that completes words rewrites what it has given: the server is told of the difference
    #changed(composing) {
        const rfb = this.#connection.rfb;
        const now = element("soft-input").value;
        let same = 0;
        while (same < now.length && now[same] === this.#before[same]) {
            same += 1;
        }
        const added = now.slice(same);
        for (let count = this.#before.length - same; count > 0; count -= 1) {
            rfb?.sendKey(KeyTable.XK_BackSpace, "Backspace");
        }
        this.#before = now;
        const { strokes, missing } = plan(added, document.querySelector("select.layout").value);
        for (const { keysym, code, down } of strokes.flatMap((stroke) => stroke.events)) {
            rfb?.sendKey(keysym, code, down);
        }
        if (missing.length > 0) {
            this.#view.say(`This layout can't type: ${missing.map(nameOf).join(", ")}`);
        }
        if (!composing && (now.length < FILLER.length / 2 || now.length > 4 * FILLER.length || now.includes("\n"))) {
            this.#reset();
        }
    }
}

function element(id) {
    return document.getElementById(id);
}
