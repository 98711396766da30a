package world

type kind int

const (
	podReady kind = iota
	serviceEnds
	hangsUp
	graceEnds
)

type event struct {
	at       float64
	order    int
	kind     kind
	pod      *Pod
	service  *service
	customer *customer
}

// before is a total order: events at one time come in the order in which they were made, however they are stored.
func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

// events are a heap, the next of them first. That of the standard library would put each event on the Go heap, too:
// there are millions.
type events []event

func (h *events) push(e event) {
	*h = append(*h, e)
	list := *h
	for i := len(list) - 1; i > 0; {
		parent := (i - 1) / 2
		if !list[i].before(&list[parent]) {
			return
		}
		list[i], list[parent] = list[parent], list[i]
		i = parent
	}
}

func (h *events) pop() event {
	list := *h
	first, last := list[0], len(list)-1
	list[0] = list[last]
	list[last] = event{} // or it would keep what is over
	list = list[:last]
	*h = list
	for i := 0; ; {
		next := 2*i + 1
		if next >= last {
			return first
		}
		if right := next + 1; right < last && list[right].before(&list[next]) {
			next = right
		}
		if !list[next].before(&list[i]) {
			return first
		}
		list[i], list[next] = list[next], list[i]
		i = next
	}
}
