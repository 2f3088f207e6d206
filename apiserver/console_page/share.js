// The dialog of view-only links: made, copied and revoked here. Their URLs are kept by the page alone.

import * as exchange from "./exchange.js";
import * as memory from "./memory.js";

export class Share {
    #connection;
    #links = [];

    constructor(connection) {
        this.#connection = connection;
        this.#links = memory.tab.get("links") ?? [];
        element("share").addEventListener("click", () => {
            this.#fail("");
            this.#list();
            element("share-dialog").showModal();
        });
        element("share-close").addEventListener("click", () => element("share-dialog").close());
        element("share-dialog").addEventListener("close", () => this.#connection.rfb?.focus());
        element("share-form").addEventListener("submit", (event) => {
            event.preventDefault();
            this.#create();
        });
    }

    /** Follow the connection. */
    show() {
        element("create").disabled = this.#connection.resume === null;
    }

    async #create() {
        const seconds = Number(element("seconds").value);
        await this.#ask(element("create"), async () => {
            this.#links.push(await exchange.createLink(this.#connection.resume, seconds));
            this.#keep();
            element("links").lastElementChild.querySelector("input").select();
        });
    }

    async #revoke(link, button) {
        await this.#ask(button, async () => {
            await exchange.revokeLink(this.#connection.resume, link.id);
            this.#links = this.#links.filter((each) => each !== link);
            this.#keep();
            element("create").focus();
        });
    }

    async #ask(button, act) {
        this.#fail("");
        button.disabled = true;
        try {
            await act();
        } catch (err) {
            if (!(err instanceof exchange.Refused)) {
                throw err;
            }
            this.#fail(err.message);
        } finally {
            button.disabled = false;
        }
    }

    #keep() {
        memory.tab.set(
            "links",
            this.#links.map(({ id, expires_at }) => ({ id, expires_at })),
        );
        this.#list();
    }

    #list() {
        this.#links = this.#links.filter((link) => new Date(link.expires_at) > new Date());
        element("no-links").hidden = this.#links.length > 0;
        element("links").replaceChildren(...this.#links.map((link, index) => this.#item(link, index + 1)));
    }

    #item(link, number) {
        const item = document.createElement("li");
        const url = document.createElement("input");
        url.readOnly = true;
        url.value = link.url ?? "made before this page was loaded again";
        url.setAttribute("aria-label", `Link ${number}`);
        const copy = button("Copy", `Copy link ${number}`);
        copy.disabled = link.url === undefined;
        copy.addEventListener("click", async () => {
            url.select();
            try {
                await navigator.clipboard.writeText(link.url);
                copy.textContent = "Copied";
            } catch {
                // not in a page without TLS, and not in every browser
                this.#fail("The browser does not let the page copy. The link is selected: copy it yourself.");
            }
        });
        const revoke = button("Revoke", `Revoke link ${number}`);
        revoke.addEventListener("click", () => this.#revoke(link, revoke));
        const expires = document.createElement("span");
        expires.className = "expires";
        expires.textContent = `Until ${new Date(link.expires_at).toLocaleString()}`;
        item.append(url, copy, revoke, expires);
        return item;
    }

    #fail(words) {
        element("share-error").hidden = words === "";
        element("share-error").textContent = words;
    }
}

function button(label, name) {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = label;
    made.setAttribute("aria-label", name);
    return made;
}

function element(id) {
    return document.getElementById(id);
}
