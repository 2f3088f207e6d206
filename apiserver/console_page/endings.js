// What the end of a connection means: to be tried again at once, or for a person to decide; and in words.

const TAKEN_OVER = 4409;
const REFUSED = 4403;

// what vncauthproxy says of ends that another attempt would not change by itself
const FINAL = {
    "nothing has happened for too long": "Nothing was typed or shown for too long.",
    "the session was ended by the operator": "An operator has ended this session.",
    "the session has lasted as long as it may": "The session has lasted as long as it may.",
    "the viewer sent what a watching one may not": "The session was ended: a viewer may only watch.",
};
const PASSING = {
    "the console was closed": "The server has closed its screen. It may have stopped, or moved.",
    "the console proxy is being restarted": "The console proxy is being restarted.",
};

/** Read a WebSocket's close: `kind` is taken_over, refused, final or passing. */
export function read(code, reason) {
    if (code === TAKEN_OVER) {
        return { kind: "taken_over", words: "Somebody else has opened this console, and has the keyboard now." };
    }
    if (code === REFUSED) {
        return { kind: "refused", words: `The console was refused: ${reason || "the proxy gives no reason"}.` };
    }
    if (reason in FINAL) {
        return { kind: "final", words: FINAL[reason] };
    }
    const words = PASSING[reason] ?? (reason ? `The connection was closed: ${reason}.` : "The connection was lost.");
    return { kind: "passing", words };
}
