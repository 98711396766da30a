package role

import (
	"context"
	"errors"

	"github.com/coder/websocket"

	"github.com/deskfleet/deskfleet/internal/web/socket"
)

// Cause of a socket's end, for metrics: client, restart, slow, silent, policy, unauthorised or internal.
func Cause(err error) string {
	var closing *socket.Closing
	switch {
	case errors.As(err, &closing):
		switch closing.Code {
		case socket.CodeRestart:
			return "restart"
		case socket.CodeSlow:
			return "slow"
		case socket.CodePolicy, websocket.StatusUnsupportedData:
			return "policy"
		case socket.CodeUnauthorised:
			return "unauthorised"
		default:
			return "internal"
		}
	case errors.Is(err, socket.ErrSilent):
		return "silent"
	case errors.Is(err, context.Canceled):
		return "restart"
	default:
		return "client"
	}
}
