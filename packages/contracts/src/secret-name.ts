/** Words that say: what stands here is secret. */
const SECRET_WORDS = new Set(
  (
    'password passwd passphrase passcode pass pwd pw secret secrets token apikey accesskey secretkey privatekey auth ' +
    'authtoken authkey authorization accesstoken refreshtoken credential credentials creds cookie jwt bearer otp totp pin ' +
    'dsn sig signature salt seed hmac key userpass requirepass masterauth'
  ).split(' '),
);
/** …unless it ends so: then it is about a secret, such as where it lies, how long it lasts, what it is called. */
const ABOUT_SECRETS = new Set(
  (
    'file files path dir directory folder url uri endpoint host port name names type ttl length len size header headers count ' +
    'expiry expires expiration timeout env var policy min max limit enabled required algorithm alg prefix suffix bits mode ' +
    'method scheme provider backend store interval rotation server service cmd command format'
  ).split(' '),
);
/** Keys that open nothing. */
const OTHER_KEYS = new Set('public primary foreign sort partition cache object row map host known'.split(' '));

/** Does a value under this name (of a variable, an option, a field, a header) have to stay secret? */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, '$1-$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .map((word) => word.replace(/\d+$/, ''))
    .filter((word) => word !== '');
  const [first, last] = [words[0] ?? '', words.at(-1) ?? ''];
  if (first === 'no' || ABOUT_SECRETS.has(last)) return false;
  return words.some((word, at) => {
    if (word === 'key') return at === words.length - 1 && !OTHER_KEYS.has(words[at - 1] ?? '');
    return SECRET_WORDS.has(word) || /(?:password|passwd|secret|apikey|authtoken)$/.test(word);
  });
}
