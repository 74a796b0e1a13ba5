// Reads a feed of any format from stdin and prints what feedsmith understood as JSON.
import { parseFeed } from "feedsmith";

const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
process.stdout.write(JSON.stringify(parseFeed(Buffer.concat(chunks).toString("utf8"))));
