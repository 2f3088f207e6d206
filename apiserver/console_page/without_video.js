// Consoles send pictures, never H.264: noVNC need not try the browser's decoder, which it would wait for while it loads,
// and which on a busy machine may not answer. Has to be imported before anything of noVNC's.

delete window.VideoDecoder;
