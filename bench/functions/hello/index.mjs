// The handler that both sides run: see ../../peers/node-http.mjs.
export const handler = async () => ({ message: "hello" });
