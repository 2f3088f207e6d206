// The bar: keys that can't be typed, the guest's layout, the picture's size and the full screen.

import { CTRL_ALT_DEL, GROUPS, events } from "./combinations.js";
import { NAMES } from "./layouts.js";
import * as memory from "./memory.js";

export class Controls {
    #connection;
    #actual = memory.likes.get("scale") === "actual";
    #screen = null;

    constructor(connection) {
        this.#connection = connection;
        on("ctrl-alt-del", () => this.#send(CTRL_ALT_DEL.codes));
        on("keys", () => this.#open(element("keys-panel").hidden));
        on("scale", () => this.#rescale(!this.#actual));
        on("full", toggleFullScreen);
        element("groups").append(...GROUPS.map((group) => this.#group(group)));
        fillLayouts();
        document.addEventListener("keydown", (event) => {
            if (event.key === "Escape" && !element("keys-panel").hidden && !within("screen", event.target)) {
                this.#open(false);
                element("keys").focus();
            }
        });
        document.addEventListener("pointerdown", (event) => {
            if (!within("keys-panel", event.target) && !within("keys", event.target)) {
                this.#open(false);
            }
        });
        document.addEventListener("fullscreenchange", () => {
            element("full").setAttribute("aria-pressed", String(document.fullscreenElement !== null));
        });
        this.#rescale(this.#actual);
    }

    /** Have the keyboard here. */
    focus() {
        const first = [...document.querySelectorAll(".tools button")].find((button) => button.checkVisibility());
        first.focus();
    }

    /** Follow the connection. */
    show() {
        const ready = this.#connection.state === "connected";
        for (const button of document.querySelectorAll(".tools .keys, #groups button")) {
            button.disabled = !ready;
        }
        if (!ready) {
            this.#open(false);
        }
        if (this.#connection.rfb !== this.#screen) {
            this.#screen = this.#connection.rfb;
            this.#rescale(this.#actual);
        }
    }

    #send(codes) {
        for (const { keysym, code, down } of events(codes)) {
            this.#connection.rfb?.sendKey(keysym, code, down);
        }
    }

    #group({ title, items }) {
        const group = document.createElement("fieldset");
        const legend = document.createElement("legend");
        const row = document.createElement("div");
        legend.textContent = title;
        row.append(
            ...items.map(({ label, name, codes }) => {
                const button = document.createElement("button");
                button.type = "button";
                button.textContent = label;
                if (name) {
                    button.setAttribute("aria-label", name);
                }
                button.addEventListener("click", () => this.#send(codes));
                return button;
            }),
        );
        group.append(legend, row);
        return group;
    }

    #open(wanted) {
        element("keys-panel").hidden = !wanted;
        element("keys").setAttribute("aria-expanded", String(wanted));
        element("keys-panel").style.setProperty("--bar", `${document.querySelector("header").offsetHeight + 8}px`);
    }

    #rescale(actual) {
        this.#actual = actual;
        memory.likes.set("scale", actual ? "actual" : "fit");
        element("scale").setAttribute("aria-pressed", String(actual));
        if (this.#connection.rfb) {
            this.#connection.rfb.scaleViewport = !actual;
        }
    }
}

function fillLayouts() {
    const chosen = memory.likes.get("layout");
    const lists = [...document.querySelectorAll("select.layout")];
    for (const list of lists) {
        list.append(...Object.entries(NAMES).map(([value, name]) => new Option(name, value)));
        list.value = chosen in NAMES ? chosen : "us";
        list.addEventListener("change", () => {
            memory.likes.set("layout", list.value);
            for (const other of lists.filter((each) => each !== list)) {
                other.value = list.value;
                other.dispatchEvent(new Event("input"));
            }
        });
    }
}

async function toggleFullScreen() {
    if (document.fullscreenElement !== null) {
        await document.exitFullscreen();
        return;
    }
    await document.documentElement.requestFullscreen();
    // where a browser can, keys such as Alt-Tab and Esc go to the server too; holding Esc leaves
    await navigator.keyboard?.lock?.();
}

function element(id) {
    return document.getElementById(id);
}

function on(id, act) {
    element(id).addEventListener("click", act);
}

function within(id, node) {
    return element(id).contains(node);
}
