package bus

// Bounds of what waits for a handler, if no option says otherwise.
const (
	DefaultPendingMessages = 8192
	DefaultPendingBytes    = 16 << 20
)

// SubscribeOption changes one subscription.
type SubscribeOption func(*subscribeOptions)

type subscribeOptions struct {
	pendingMessages, pendingBytes int
	onDropped                     func()
}

// WithPending bounds what waits for the handler, in messages and bytes. What
// comes beyond is dropped and reported to [WithDropped].
func WithPending(messages, bytes int) SubscribeOption {
	return func(o *subscribeOptions) { o.pendingMessages, o.pendingBytes = messages, bytes }
}

// WithDropped is told, once for each run of losses, that messages were dropped
// because the handler was too slow. The caller reads the log again.
func WithDropped(f func()) SubscribeOption {
	return func(o *subscribeOptions) { o.onDropped = f }
}

func newSubscribeOptions(opts []SubscribeOption) subscribeOptions {
	o := subscribeOptions{pendingMessages: DefaultPendingMessages, pendingBytes: DefaultPendingBytes}
	for _, opt := range opts {
		opt(&o)
	}
	return o
}
