// Prints Muster's alerts as they come. Run it in the clone:
//
//	(cd examples/alert-subscribers/go && go mod tidy && go build -o /tmp/subscriber .) && /tmp/subscriber
//
// It needs only github.com/nats-io/nats.go and the credentials of an observer, who may listen to alerts and do nothing else.
// What fired while it was away comes first.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/nats-io/nats.go"
)

// Alert is a CloudEvents 1.0 document; the fields that are not named here are left out.
type Alert struct {
	Data struct {
		State, Severity, Host, Service, Rule, Summary string
		// The same through all states of one alert.
		Fingerprint string
	}
}

func main() {
	log.SetFlags(0)
	url := setting("MUSTER_BUS_URL", "nats://127.0.0.1:4222")
	credentials := setting("MUSTER_BUS_CREDENTIALS", ".muster/keys/observer-alerts.creds")
	environment := setting("MUSTER_ENVIRONMENT", "development")

	connection, err := nats.Connect(url, nats.UserCredentials(credentials), nats.MaxReconnects(-1))
	if err != nil {
		log.Fatalf("not connected to %s: %v", url, err)
	}
	// What the bus keeps for this observer, <id> in observer-<id>.creds. Who needs no more than what comes from now on listens to
	// "alert.>" instead, or to "alert.critical.*.*.*": alert.<severity>.<host>.<service>.<rule>.
	observer := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(credentials), "observer-"), ".creds")
	if _, err := connection.Subscribe("muster.v1."+environment+".deliver.observer."+observer, show); err != nil {
		log.Fatal(err)
	}
	if err := connection.Flush(); err != nil {
		log.Fatal(err)
	}
	log.Printf("listening on %s", connection.ConnectedUrl())

	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt)
	<-interrupted
	connection.Close()
}

func show(message *nats.Msg) {
	var alert Alert
	if err := json.Unmarshal(message.Data, &alert); err != nil {
		log.Printf("not an alert on %s: %v", message.Subject, err)
		return
	}
	data := alert.Data
	place := data.Host
	if data.Service != "_" {
		place += "/" + data.Service
	}
	sentence := fmt.Sprintf("%s %s %s %s: %s", data.State, data.Severity, place, data.Rule, data.Summary)
	fmt.Println(strings.Map(printable, sentence))
}

// Whoever may send alerts should not be able to move your cursor with one.
func printable(char rune) rune {
	if unicode.IsPrint(char) {
		return char
	}
	return unicode.ReplacementChar
}

func setting(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
