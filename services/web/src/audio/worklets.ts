/** Loads a bundled worklet into a context. From a blob, so that the library is one file; a page's CSP must allow `script-src blob:`. */

export async function addWorklet(context: AudioContext, code: string): Promise<void> {
  const url = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
  try {
    await context.audioWorklet.addModule(url);
  } finally {
    URL.revokeObjectURL(url);
  }
}
