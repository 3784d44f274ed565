// Usage: node token_server.mjs TOKEN_PORT API_PORT UPSTREAM UPSTREAM_TOKEN LIFETIME_S
//
// An OAuth 2.0 server (oauth2-mock-server) that gives tokens of LIFETIME_S seconds to one client, and an API before
// UPSTREAM that takes a request only with such a token that is signed and not over. GET /stats on TOKEN_PORT counts both.
import { createServer, request } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { OAuth2Server } = require('oauth2-mock-server');
const { createLocalJWKSet, jwtVerify } = require('jose');

const [tokenPort, apiPort, upstream, upstreamToken, lifetime] = process.argv.slice(2);
const client = 'Basic ' + Buffer.from('gw-1:client-secret-0001').toString('base64');
const stats = { tokens: 0, in_flight: 0, most_in_flight: 0, wrong_clients: 0, accepted: 0, refused: 0 };

const server = new OAuth2Server();
server.issuer.url = `http://127.0.0.1:${tokenPort}`;
await server.issuer.keys.generate('RS256');
const keys = createLocalJWKSet({ keys: server.issuer.keys.toJSON() });
server.service.on('beforeTokenSigning', (token) => {
  token.payload.exp = token.payload.iat + Number(lifetime);
});
server.service.on('beforeResponse', (response) => {
  response.body.expires_in = Number(lifetime);
  stats.tokens += 1;
});

createServer((incoming, outgoing) => {
  if (incoming.url === '/stats') {
    outgoing.end(JSON.stringify(stats));
    return;
  }
  if (incoming.headers.authorization !== client) {
    stats.wrong_clients += 1;
    outgoing.writeHead(401, { 'Content-Type': 'application/json' });
    outgoing.end('{"error":"invalid_client"}');
    return;
  }
  stats.in_flight += 1;
  stats.most_in_flight = Math.max(stats.most_in_flight, stats.in_flight);
  outgoing.on('close', () => {
    stats.in_flight -= 1;
  });
  // Slow, so that requests at the same time would meet.
  setTimeout(() => server.service.requestHandler(incoming, outgoing), 300);
}).listen(Number(tokenPort), '127.0.0.1');

createServer(async (incoming, outgoing) => {
  try {
    await jwtVerify((incoming.headers.authorization ?? '').replace(/^Bearer /, ''), keys, { clockTolerance: 0 });
  } catch {
    stats.refused += 1;
    incoming.resume();
    outgoing.writeHead(401).end();
    return;
  }
  stats.accepted += 1;
  const headers = { ...incoming.headers, authorization: `Bearer ${upstreamToken}` };
  const forwarded = request(upstream + incoming.url, { method: incoming.method, headers }, (reply) => {
    outgoing.writeHead(reply.statusCode, reply.headers);
    reply.pipe(outgoing);
  });
  forwarded.on('error', () => outgoing.destroy());
  incoming.pipe(forwarded);
}).listen(Number(apiPort), '127.0.0.1');
