// Package api holds the description of the desks' HTTP interfaces, for the gateway that serves it and for the
// tests that hold gateway and console to it.
package api

import _ "embed"

// OpenAPI is the description in OpenAPI 3.1, as YAML.
//
//go:embed openapi.yaml
var OpenAPI []byte
