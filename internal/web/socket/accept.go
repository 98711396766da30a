package socket

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"

	"github.com/coder/websocket"
)

// bufferBytes of a socket for reading, and as many for writing: an HTTP connection's are four times as large, and most
// frames are small.
const bufferBytes = 1 << 10

// Accept answers the request for a WebSocket. On failure it has written the answer.
//
// The socket may outlive the handler, and should: a handler that stays holds the request, and a stack that has grown for
// it.
func Accept(w http.ResponseWriter, r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	return websocket.Accept(small{w}, r, opts)
}

// small gives connections small buffers.
type small struct{ http.ResponseWriter }

// Unwrap is for http.ResponseController.
func (s small) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Hijack implements http.Hijacker.
func (s small) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, large, err := http.NewResponseController(s.ResponseWriter).Hijack()
	if err != nil {
		return nil, nil, err
	}
	// What the client has sent already must stay in the buffer: that is where it is looked for.
	sent, err := large.Reader.Peek(large.Reader.Buffered())
	if err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	reader := bufio.NewReaderSize(io.MultiReader(bytes.NewReader(bytes.Clone(sent)), conn), max(bufferBytes, len(sent)))
	if _, err := reader.Peek(len(sent)); err != nil {
		_ = conn.Close()
		return nil, nil, err
	}
	return conn, bufio.NewReadWriter(reader, bufio.NewWriterSize(conn, bufferBytes)), nil
}
