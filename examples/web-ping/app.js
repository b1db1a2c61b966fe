// Sends a request to TARGET every INTERVAL milliseconds and prints the status and the time that it took.
const http = require("http");

const target = process.env.TARGET;
const method = process.env.METHOD;
const interval = Number(process.env.INTERVAL);
const url = new URL(target.includes("://") ? target : `http://${target}`);

console.log(`pinging ${url.host}: ${method} every ${interval} ms`);

function ping() {
  const start = Date.now();
  const request = http.request(url, { method, timeout: 5000 }, (response) => {
    response.resume();
    console.log(`${url.host}: ${response.statusCode} in ${Date.now() - start} ms`);
  });
  request.on("timeout", () => request.destroy(new Error("no answer within 5 s")));
  request.on("error", (error) => console.error(`${url.host}: ${error.message}`));
  request.end();
}

process.on("SIGTERM", () => process.exit(0));
process.on("SIGINT", () => process.exit(0));
ping();
setInterval(ping, interval);
