// The canvas that noVNC draws on: how it gets the keyboard and, above all, how it gives it back.

const MODIFIERS = ["Control", "Alt", "Shift", "AltGraph"];

/** Make a new screen reachable by keyboard, and give it the keys unless a person is busy elsewhere. */
export function prepare(rfb) {
    const canvas = document.querySelector("#screen canvas");
    canvas.tabIndex = 0;
    canvas.setAttribute("role", rfb.viewOnly ? "img" : "application");
    canvas.setAttribute(
        "aria-label",
        rfb.viewOnly ? "The server's screen" : "The server's screen. Control, Alt and Shift together take the keyboard back.",
    );
    const active = document.activeElement;
    const busy = active !== document.body && !document.querySelector("main").contains(active);
    if (!rfb.viewOnly && !busy) {
        rfb.focus();
    }
}

/** Call `leave` when Ctrl, Alt and Shift are held together on the screen; no key stays down on the server after it. */
export function keepKeyboardWithin(screen, leave) {
    screen.addEventListener(
        "keydown",
        (event) => {
            if (event.ctrlKey && event.altKey && event.shiftKey && MODIFIERS.includes(event.key)) {
                event.preventDefault();
                event.stopPropagation();
                leave();
            }
        },
        { capture: true },
    );
    // noVNC releases what is held when the window loses the keyboard, but not when its canvas does
    screen.addEventListener("focusout", () => window.dispatchEvent(new FocusEvent("blur")));
}
