package routing

// tree keeps items in the order of less and knows each one's rank: a treap with subtree sizes. Nodes
// are owned by the items, so that moving an item allocates nothing. What less looks at must not change
// while the item is in the tree.
type tree[T any] struct {
	less func(a, b T) bool
	root *node[T]
	seed uint64
}

type node[T any] struct {
	item        T
	left, right *node[T]
	heap        uint64
	size        int
	in          *tree[T]
}

func newTree[T any](less func(a, b T) bool) *tree[T] {
	return &tree[T]{less: less, seed: 0x9e3779b97f4a7c15}
}

func (t *tree[T]) len() int { return t.root.count() }

func (n *node[T]) count() int {
	if n == nil {
		return 0
	}
	return n.size
}

func (n *node[T]) fix() *node[T] {
	n.size = 1 + n.left.count() + n.right.count()
	return n
}

// random is xorshift64: the tree's shape must not depend on the process, its quality hardly matters.
func (t *tree[T]) random() uint64 {
	t.seed ^= t.seed << 13
	t.seed ^= t.seed >> 7
	t.seed ^= t.seed << 17
	return t.seed
}

func (t *tree[T]) insert(n *node[T]) {
	n.left, n.right, n.size, n.in = nil, nil, 1, t
	n.heap = t.random()
	t.root = t.insertAt(t.root, n)
}

func (t *tree[T]) insertAt(at, n *node[T]) *node[T] {
	if at == nil {
		return n
	}
	if n.heap > at.heap {
		n.left, n.right = t.split(at, n.item)
		return n.fix()
	}
	if t.less(n.item, at.item) {
		at.left = t.insertAt(at.left, n)
	} else {
		at.right = t.insertAt(at.right, n)
	}
	return at.fix()
}

// split cuts a subtree into what comes before the item and the rest.
func (t *tree[T]) split(at *node[T], item T) (before, rest *node[T]) {
	if at == nil {
		return nil, nil
	}
	if t.less(at.item, item) {
		at.right, rest = t.split(at.right, item)
		return at.fix(), rest
	}
	before, at.left = t.split(at.left, item)
	return before, at.fix()
}

// remove takes the node out; it does nothing when the node is in no tree.
func (n *node[T]) remove() {
	if n.in == nil {
		return
	}
	t := n.in
	t.root = t.removeAt(t.root, n)
	n.left, n.right, n.in = nil, nil, nil
}

func (t *tree[T]) removeAt(at, n *node[T]) *node[T] {
	if at == n {
		return merge(n.left, n.right)
	}
	if t.less(n.item, at.item) {
		at.left = t.removeAt(at.left, n)
	} else {
		at.right = t.removeAt(at.right, n)
	}
	return at.fix()
}

func merge[T any](a, b *node[T]) *node[T] {
	switch {
	case a == nil:
		return b
	case b == nil:
		return a
	case a.heap > b.heap:
		a.right = merge(a.right, b)
		return a.fix()
	default:
		b.left = merge(a, b.left)
		return b.fix()
	}
}

// rank is the number of items that come before the item, which need not be in the tree.
func (t *tree[T]) rank(item T) int {
	rank := 0
	for at := t.root; at != nil; {
		if t.less(at.item, item) {
			rank += 1 + at.left.count()
			at = at.right
		} else {
			at = at.left
		}
	}
	return rank
}

// walk calls f with the items in order until it returns false.
func (t *tree[T]) walk(f func(T) bool) { t.root.walk(f) }

func (n *node[T]) walk(f func(T) bool) bool {
	return n == nil || n.left.walk(f) && f(n.item) && n.right.walk(f)
}

// walkFrom is walk without the first items, of which it looks at none.
func (t *tree[T]) walkFrom(rank int, f func(T) bool) { t.root.walkFrom(rank, f) }

func (n *node[T]) walkFrom(rank int, f func(T) bool) bool {
	switch {
	case n == nil || rank >= n.size:
		return true
	case rank <= 0:
		return n.walk(f)
	}
	before := n.left.count()
	return n.left.walkFrom(rank, f) && (rank > before || f(n.item)) && n.right.walkFrom(rank-before-1, f)
}

// find gives the first item in order that suits.
func (t *tree[T]) find(suits func(T) bool) (found T, ok bool) {
	t.walk(func(item T) bool {
		if suits(item) {
			found, ok = item, true
		}
		return !ok
	})
	return found, ok
}
