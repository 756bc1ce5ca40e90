// What TagoIO's CLI is made of, over https: the SDK triggers an Analysis, and eventsource follows its console.
// Prints the first event of it.
const { Resources } = require("@tago-io/sdk");
const { EventSource } = require("eventsource");

const { TAGOIO_SSE, PROFILE_TOKEN, ANALYSIS } = process.env;

const resources = new Resources({ token: PROFILE_TOKEN, region: "env" });
const stream = new EventSource(`${TAGOIO_SSE}?channel=analysis_console.${ANALYSIS}&token=${PROFILE_TOKEN}`);
stream.onopen = () => resources.analysis.run(ANALYSIS, [{ variable: "x", value: 1 }]);
stream.onmessage = (event) => {
  console.log(event.data);
  stream.close();
};
stream.onerror = (error) => {
  console.error(error.message);
  process.exit(1);
};
