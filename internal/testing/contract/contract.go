// Package contract holds the web roles to docs/api/openapi.yaml: tests serve through it, and everything that a
// role answers, says over a WebSocket or accepts must be in the description, no field more and none less.
package contract

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/deskfleet/deskfleet/docs/api"
)

// Contract is the description, in the form that a test checks against.
type Contract struct {
	t testing.TB
	*description
}

// description is the same for all tests of a process: reading it takes longer than most of them.
type description struct {
	doc    *openapi3.T
	router routers.Router
	// compiler keeps what it compiled: a client that checks what it reads must not become slow. mu guards it.
	mu       sync.Mutex
	compiler *jsonschema.Compiler
}

var read = sync.OnceValues(func() (*description, error) {
	var raw map[string]any
	if err := yaml.Unmarshal(api.OpenAPI, &raw); err != nil {
		return nil, err
	}
	closeObjects(raw)
	data, err := json.Marshal(raw)
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	router, err := gorillamux.NewRouter(doc)
	if err != nil {
		return nil, err
	}
	plain, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	if err := compiler.AddResource(resource, plain); err != nil {
		return nil, err
	}
	return &description{doc: doc, router: router, compiler: compiler}, nil
})

// resource is what the description is called within itself.
const resource = "urn:openapi.yaml"

// Load reads the description. The published one lets clients meet fields that they do not know; the one that is
// checked against does not, so that no field goes undocumented.
func Load(t testing.TB) *Contract {
	t.Helper()
	d, err := read()
	if err != nil {
		t.Fatalf("docs/api/openapi.yaml: %v", err)
	}
	return &Contract{t: t, description: d}
}

// closeObjects forbids further fields in every object that names its fields and does not say otherwise.
func closeObjects(node any) {
	switch n := node.(type) {
	case map[string]any:
		_, named := n["properties"].(map[string]any)
		if _, said := n["additionalProperties"]; n["type"] == "object" && named && !said {
			n["additionalProperties"] = false
		}
		for _, child := range n {
			closeObjects(child)
		}
	case []any:
		for _, child := range n {
			closeObjects(child)
		}
	}
}

// Operations lists "METHOD path" of all operations whose path passes, sorted.
func (c *Contract) Operations(pass func(path string) bool) []string {
	var out []string
	for path, item := range c.doc.Paths.Map() {
		if !pass(path) {
			continue
		}
		for method := range item.Operations() {
			out = append(out, method+" "+path)
		}
	}
	slices.Sort(out)
	return out
}

// Handler serves next and fails the test where a request that was accepted, or an answer, is not as described.
func (c *Contract) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions { // of CORS, on every path
			next.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			c.t.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		rec := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(rec, r)
		if !rec.hijacked {
			c.check(r, body, rec)
		}
	})
}

func (c *Contract) check(r *http.Request, sent []byte, rec *recorder) {
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		if rec.status != http.StatusNotFound && rec.status != http.StatusMethodNotAllowed {
			c.t.Errorf("%s %s is answered with %d, but docs/api/openapi.yaml does not have it: %v", r.Method, r.URL.Path, rec.status, err)
		}
		return
	}
	again := r.Clone(r.Context())
	again.Body = io.NopCloser(bytes.NewReader(sent))
	request := &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
			IncludeResponseStatus: true, RejectWhenRequestBodyNotSpecified: true,
		},
	}
	if rec.status < http.StatusBadRequest {
		if err := openapi3filter.ValidateRequest(again.Context(), request); err != nil {
			c.t.Errorf("%s %s was accepted, but is not as docs/api/openapi.yaml has it: %v", r.Method, r.URL, err)
		}
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: request, Status: rec.status, Header: rec.Header(), Options: request.Options,
	}
	response.SetBodyBytes(rec.body.Bytes())
	if err := openapi3filter.ValidateResponse(again.Context(), response); err != nil {
		c.t.Errorf("%s %s is answered with %d, but not as docs/api/openapi.yaml has it: %v", r.Method, r.URL, rec.status, err)
	}
}

// Frame fails the test when a frame is none of those that the schema, such as ChatServerFrame, chooses from by type.
func (c *Contract) Frame(schema string, frame []byte) {
	c.t.Helper()
	var head struct{ Type string }
	if err := json.Unmarshal(frame, &head); err != nil {
		c.t.Errorf("frame %s: %v", frame, err)
		return
	}
	mapping := c.doc.Components.Schemas[schema].Value.Discriminator.Mapping
	ref, ok := mapping[head.Type]
	if !ok {
		c.t.Errorf("docs/api/openapi.yaml: %s has no frame of type %q, but %s", schema, head.Type, slices.Sorted(maps.Keys(mapping)))
		return
	}
	c.Value(strings.TrimPrefix(ref.Ref, "#/components/schemas/"), frame)
}

// Value fails the test when a JSON text is not as a schema of the components has it.
func (c *Contract) Value(schema string, text []byte) {
	c.t.Helper()
	compiled, err := c.schema(schema)
	if err != nil {
		c.t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err == nil {
		err = compiled.Validate(value)
	}
	if err != nil {
		c.t.Errorf("%s is not as docs/api/openapi.yaml has %s: %v", text, schema, err)
	}
}

// schema compiles, or finds what was compiled before.
func (d *description) schema(name string) (*jsonschema.Schema, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.compiler.Compile(resource + "#/components/schemas/" + name)
}

// recorder keeps what is answered.
type recorder struct {
	http.ResponseWriter
	status   int
	body     bytes.Buffer
	hijacked bool
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(data []byte) (int, error) {
	r.body.Write(data)
	return r.ResponseWriter.Write(data)
}

// Hijack gives a WebSocket its connection.
func (r *recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(r.ResponseWriter).Hijack()
	r.hijacked = err == nil
	return conn, rw, err
}
