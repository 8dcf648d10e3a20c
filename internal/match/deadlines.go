package match

// A deadline says that an entry or proposal wants attention at a time. Stale
// ones are recognised when they fall due and skipped.
type deadline struct {
	at       int64 // Unix nanoseconds
	seq      uint64
	entry    *entry
	proposal *proposal
}

// deadlines is a binary heap, earliest first, ties by order of creation.
type deadlines []deadline

func (d deadline) before(o deadline) bool {
	return d.at < o.at || d.at == o.at && d.seq < o.seq
}

func (h *deadlines) push(d deadline) {
	*h = append(*h, d)
	a := *h
	for i := len(a) - 1; i > 0; {
		up := (i - 1) / 2
		if !a[i].before(a[up]) {
			return
		}
		a[i], a[up] = a[up], a[i]
		i = up
	}
}

func (h *deadlines) pop() deadline {
	a := *h
	top := a[0]
	last := len(a) - 1
	a[0] = a[last]
	a[last] = deadline{}
	a = a[:last]
	*h = a
	for i := 0; ; {
		c := 2*i + 1
		if c >= len(a) {
			return top
		}
		if c+1 < len(a) && a[c+1].before(a[c]) {
			c++
		}
		if !a[c].before(a[i]) {
			return top
		}
		a[i], a[c] = a[c], a[i]
		i = c
	}
}
