package manifest

import (
	"fmt"
	"regexp"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/deskfleet/deskfleet/internal/manifest/schema"
)

// noField is how an error without a path gives its field.
var noField = (*field.Path)(nil).String()

// wording gives an error of the API server's validation in words that leave out
// what is said twice and add what an author needs.
func wording(err *field.Error) (path, msg string) {
	msg = err.ErrorBody()
	switch {
	case err.Detail == schema.RulesNotChecked:
		return "", "the rules over several fields were not checked: mend the other errors of this object first"
	case err.Field == noField: // a rule of the whole object begins its message with the field
		path, msg, _ = strings.Cut(err.Detail, " ")
		return path, msg
	case err.Type == field.ErrorTypeTooLong:
		return err.Field, strings.TrimSuffix(msg, " bytes") + " characters" // which is what the schema counts
	case err.Type == field.ErrorTypeRequired && err.Detail == "":
		return err.Field, msg + ": add this field"
	case err.Type == field.ErrorTypeTypeInvalid:
		return err.Field, "Invalid value: " + typeHint(err.Detail)
	default:
		msg = strings.Replace(msg, ": "+err.Field+" in body ", ": ", 1)
		return err.Field, msg + patternHint(msg)
	}
}

var wrongType = regexp.MustCompile(`must be of type (\w+): "(\w+)"$`)

func typeHint(detail string) string {
	m := wrongType.FindStringSubmatch(detail)
	if m == nil {
		return detail
	}
	hint := fmt.Sprintf("of type %s, must be of type %s", m[2], m[1])
	if m[1] == "string" && (m[2] == "integer" || m[2] == "number" || m[2] == "boolean") {
		hint += ": put it in quotes"
	}
	return hint
}

// patternHints say in words what the patterns of the schemas ask for.
var patternHints = map[string]string{
	`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`:  "lower-case letters, digits and hyphens, with a letter or a digit first and last",
	`^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$`: "lower-case letters, digits, hyphens and dots, with a letter or a digit first and last",
	`^[a-z0-9][a-z0-9._-]*$`:           "lower-case letters, digits, dots, underscores and hyphens, with a letter or a digit first",
	`^https?://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5]))?([/?][^\x00-\x20\x7f#]*)?$`: "an http or https URL without user, password and fragment",
	`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`:                                                "a language tag such as en, zh or zh-TW",
	`^([0-9]{1,4}h)?([0-9]{1,4}m)?([0-9]{1,5}s)?$`:                                    "hours, minutes and seconds in this order, such as 20s, 10m or 1h30m",
	`^([01][0-9]|2[0-3]):[0-5][0-9]$`:                                                 "a time such as 08:30, in quotes",
	`^([0-3][0-9]|4[0-7]):[0-5][0-9]$`:                                                "a time such as 18:00, or 26:00 for 02:00 of the next day, in quotes",
	`^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`:                          "a date such as 2026-10-01, or 10-01 for that day of each year, in quotes",
	`^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$`:                             "a date such as 2026-10-01, in quotes",
	`^[A-Za-z][-+A-Za-z0-9_]*(/[A-Za-z0-9][-+A-Za-z0-9_]*)*$`:                         "an IANA name such as Asia/Shanghai",
	`^[-._a-zA-Z0-9]+$`:                                                               "a key of a ConfigMap: letters, digits, dots, underscores and hyphens",
	`^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$`:                                            "text without control characters other than tab and line break",
	`^[^\x00-\x1f\x7f]*$`:                                                             "one line of text without control characters",
	`^https?://[A-Za-z0-9*]([-A-Za-z0-9.*]*[A-Za-z0-9])?(:[0-9]{1,5})?$`:              "an origin without a path, such as https://shop.example.com",
	`^(nats|tls)://[A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:[0-9]{1,5})?$`:            "an address such as tls://nats.example.com:4222",
	`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$`:               "a host name such as help.example.com",
	`^[a-z0-9]([-a-zA-Z0-9._/:@]*[a-zA-Z0-9])?$`:                                      "an image such as registry.example.com/deskfleet:1.0.0",
	`^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`:                                   "a label value: letters, digits, hyphens, underscores and dots, with a letter or a digit first and last",
	`^(([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$`: "a label name such as example.com/spot",
	`^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$`: "a quantity such as 250m, 128Mi or 10Gi",
}

func patternHint(msg string) string {
	_, pattern, ok := strings.Cut(msg, "should match '")
	if hint, known := patternHints[strings.TrimSuffix(pattern, "'")]; ok && known {
		return ": use " + hint
	}
	return ""
}
