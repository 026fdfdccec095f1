// A command line for the sigstore library.
//
//   node client.cjs MODULES sign   URL TOKEN BUNDLE FILE
//   node client.cjs MODULES attest URL TOKEN BUNDLE STATEMENT
//   node client.cjs MODULES config sign|attest CONFIG TOKEN BUNDLE FILE
//   node client.cjs MODULES verify URL ROOT CACHE IDENTITY ISSUER BUNDLE [FILE]
//
// `sign` and `attest` name the services by URL, as the library's README does. `config` reads them from a
// signing configuration. `verify` uses the TUF repository at URL and trusts only its root, ROOT. MODULES is the
// folder with the library's version.
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const IN_TOTO = "application/vnd.in-toto+json";
const TIMEOUT = 20000;

const [modules, command, ...rest] = process.argv.slice(2);
const installed = createRequire(path.join(path.resolve(modules), "index.js"));
const sigstore = installed("sigstore");
// The packages that the library itself uses, even if other versions are installed.
const part = createRequire(installed.resolve("sigstore"));

function save(file, bundle) {
  fs.writeFileSync(file, JSON.stringify(bundle));
}

function services(url, identityToken) {
  return {
    fulcioURL: url,
    rekorURL: url,
    tsaServerURL: url,
    identityToken,
    timeout: TIMEOUT,
  };
}

async function sign(url, token, bundle, file) {
  save(bundle, await sigstore.sign(fs.readFileSync(file), services(url, token)));
}

async function attest(url, token, bundle, file) {
  save(bundle, await sigstore.attest(fs.readFileSync(file), IN_TOTO, services(url, token)));
}

async function config(what, signingConfig, token, bundle, file) {
  const { bundleBuilderFromSigningConfig } = part("@sigstore/sign");
  const { bundleToJSON } = part("@sigstore/bundle");
  const { SigningConfig } = part("@sigstore/protobuf-specs");
  const builder = bundleBuilderFromSigningConfig({
    signingConfig: SigningConfig.fromJSON(JSON.parse(fs.readFileSync(signingConfig))),
    identityProvider: { getToken: async () => token },
    bundleType: what === "attest" ? "dsseEnvelope" : "messageSignature",
    fetchOptions: { timeout: TIMEOUT },
  });
  const data = fs.readFileSync(file);
  save(bundle, bundleToJSON(await builder.create({ data, type: IN_TOTO })));
}

async function verify(mirror, root, cache, identity, issuer, bundle, file) {
  const options = {
    tufMirrorURL: mirror,
    tufRootPath: root,
    tufCachePath: cache,
    certificateIdentityEmail: identity,
    certificateIssuer: issuer,
    tlogThreshold: 1,
    ctLogThreshold: 1,
    timeout: TIMEOUT,
  };
  const parsed = JSON.parse(fs.readFileSync(bundle));
  const data = file === undefined ? [] : [fs.readFileSync(file)];
  await sigstore.verify(parsed, ...data, options);
}

const commands = { sign, attest, config, verify };
commands[command](...rest).catch((error) => {
  console.error(error);
  process.exit(1);
});
