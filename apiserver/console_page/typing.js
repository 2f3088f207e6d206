// Sends planned keystrokes at a pace that the guest takes.

/** Milliseconds for each press or release: QEMU hands one to the guest every 10, and what it can't keep is lost. */
export const PACES = { normal: 12, slow: 60 };

/**
 * Type the strokes, by `send(event)`; `onProgress(count)` is called after each. Returns how many were typed: fewer than
 * there are if `signal` ends it, which is never in the middle of one.
 */
export async function type(strokes, send, { pace, signal, onProgress = () => {} }) {
    let count = 0;
    for (const stroke of strokes) {
        if (signal.aborted) {
            break;
        }
        stroke.events.forEach(send);
        count += 1;
        onProgress(count);
        await pause(stroke.events.length * pace, signal);
    }
    return count;
}

function pause(milliseconds, signal) {
    return new Promise((resolve) => {
        const timer = setTimeout(done, milliseconds);
        signal.addEventListener("abort", done, { once: true });
        function done() {
            clearTimeout(timer);
            signal.removeEventListener("abort", done);
            resolve();
        }
    });
}
