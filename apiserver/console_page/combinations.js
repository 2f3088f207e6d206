// Keys that a browser or its system keeps for itself, as buttons.

import KeyTable from "./novnc/core/input/keysym.js";

const KEYSYMS = {
    ControlLeft: KeyTable.XK_Control_L,
    AltLeft: KeyTable.XK_Alt_L,
    MetaLeft: KeyTable.XK_Super_L,
    Delete: KeyTable.XK_Delete,
    Backspace: KeyTable.XK_BackSpace,
    Escape: KeyTable.XK_Escape,
    Tab: KeyTable.XK_Tab,
    Enter: KeyTable.XK_Return,
    PrintScreen: KeyTable.XK_Print,
    KeyC: KeyTable.XK_c,
    KeyD: KeyTable.XK_d,
    KeyZ: KeyTable.XK_z,
};
for (let number = 1; number <= 12; number += 1) {
    KEYSYMS[`F${number}`] = KeyTable[`XK_F${number}`];
}

export const CTRL_ALT_DEL = { label: "Ctrl-Alt-Del", codes: ["ControlLeft", "AltLeft", "Delete"] };

/** The menu, in groups. */
export const GROUPS = [
    {
        title: "Keys",
        items: [
            { label: "Esc", codes: ["Escape"] },
            { label: "Tab", codes: ["Tab"] },
            { label: "Super", codes: ["MetaLeft"] },
            { label: "PrtSc", codes: ["PrintScreen"] },
        ],
    },
    {
        title: "Combinations",
        items: [
            { label: "Alt-Tab", codes: ["AltLeft", "Tab"] },
            { label: "Alt-F4", codes: ["AltLeft", "F4"] },
            { label: "Ctrl-C", codes: ["ControlLeft", "KeyC"] },
            { label: "Ctrl-D", codes: ["ControlLeft", "KeyD"] },
            { label: "Ctrl-Z", codes: ["ControlLeft", "KeyZ"] },
            { label: "Ctrl-Esc", codes: ["ControlLeft", "Escape"] },
            { label: "Ctrl-Alt-Bksp", codes: ["ControlLeft", "AltLeft", "Backspace"] },
        ],
    },
    {
        title: "Ctrl-Alt with",
        items: Array.from({ length: 12 }, (_, index) => ({
            label: `F${index + 1}`,
            name: `Ctrl-Alt-F${index + 1}`,
            codes: ["ControlLeft", "AltLeft", `F${index + 1}`],
        })),
    },
];

/** Give the events that press the keys in turn, and release them the other way round. */
export function events(codes) {
    const keys = codes.map((code) => ({ code, keysym: KEYSYMS[code] }));
    return [
        ...keys.map((key) => ({ ...key, down: true })),
        ...keys.toReversed().map((key) => ({ ...key, down: false })),
    ];
}
