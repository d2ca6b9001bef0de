// Answers a function URL, or any other call, with a greeting. Edit and save it while `freehold up` runs: it is redeployed.
export const handler = async (event) => {
  const name = event.queryStringParameters?.name ?? event.name ?? "world";
  console.log("greeting", name);
  return { message: `Hello ${name}, from Node.js ${process.version}` };
};
