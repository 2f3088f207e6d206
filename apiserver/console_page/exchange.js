// What the page asks of the API: JSON to /console/v1, without cookies and without an identity but the tokens.

const TIMEOUT = 20_000;

/** An answer that is a refusal: `status` is HTTP's, 0 if there was no answer; the message is for people. */
export class Refused extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }

    /** Whether the same may be answered differently a moment later. */
    get passing() {
        return this.status === 0 || this.status === 429 || this.status >= 500;
    }
}

/** Trade a token for a session: url, view_only, resume, expires_at, server. Uses the token up. */
export async function session(token) {
    return (await post("sessions", { token })).session;
}

/** Tell how the server is, and how many see it. */
export function status(resume) {
    return post("status", { resume });
}

/** Make a link by which others may watch. */
export async function createLink(resume, seconds) {
    return (await post("links", { resume, seconds })).link;
}

/** End a link, and the sessions that came by it. */
export function revokeLink(resume, id) {
    return post("links/revoke", { resume, id });
}

async function post(path, body) {
    let response;
    let text;
    try {
        response = await fetch(`v1/${path}`, {
            method: "POST",
            headers: { "Content-Type": "application/json" },
            body: JSON.stringify(body),
            cache: "no-store",
            credentials: "omit",
            redirect: "error",
            signal: AbortSignal.timeout(TIMEOUT),
        });
        text = await response.text();
    } catch {
        throw new Refused(0, "The cloud does not answer.");
    }
    const answer = parse(text);
    if (!response.ok) {
        const fault = Object.values(answer ?? {})[0];
        throw new Refused(response.status, sentence(fault?.message ?? `The cloud answered ${response.status}`));
    }
    return answer;
}

function parse(text) {
    try {
        return JSON.parse(text);
    } catch {
        return null;
    }
}

// the API's words go on after others in a log or a terminal; on the page they stand alone
function sentence(words) {
    return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}
