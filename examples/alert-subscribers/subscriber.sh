#!/bin/sh
# Prints Muster's alerts as they come. Run it in the clone:
#
#   sh examples/alert-subscribers/subscriber.sh
#
# One line of JSON (a CloudEvents 1.0 document) for each change of an alert. With jq each becomes a sentence.
set -eu

export MUSTER_BUS_CREDENTIALS="${MUSTER_BUS_CREDENTIALS:-.muster/keys/observer-alerts.creds}"

npx muster alerts -f --json | while read -r alert; do
  if command -v jq >/dev/null; then
    printf '%s\n' "$alert" | jq -r '.data
      | (if .service == "_" then .host else "\(.host)/\(.service)" end) as $place
      | "\(.state) \(.severity) \($place) \(.rule): \(.summary)"
      # Whoever may send alerts should not be able to move your cursor with one.
      | gsub("[\\p{C}\\p{Zl}\\p{Zp}]"; "\uFFFD")'
  else
    printf '%s\n' "$alert"
  fi
done
