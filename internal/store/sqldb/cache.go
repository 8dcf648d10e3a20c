package sqldb

// A cache keeps docs that were used lately, up to a number of bytes. It holds
// two generations: what is used moves to the young one, and when that is half
// of the limit the old one is dropped.
type cache struct {
	limit      int // bytes
	young, old map[ref]*doc
	size       int // bytes of young
}

// A ref names a row.
type ref struct {
	table *table
	id    string
}

func newCache(limit int) *cache {
	return &cache{limit: limit, young: map[ref]*doc{}}
}

// get returns the doc, or nil if it is not cached.
func (c *cache) get(r ref) *doc {
	if d := c.young[r]; d != nil {
		return d
	}
	d := c.old[r]
	if d != nil {
		c.put(r, d)
	}
	return d
}

func (c *cache) put(r ref, d *doc) {
	if before := c.young[r]; before != nil {
		c.size -= before.size()
	}
	if d.size() > c.limit/16 { // would drive out too much
		delete(c.young, r)
		delete(c.old, r)
		return
	}
	c.young[r] = d
	if c.size += d.size(); c.size > c.limit/2 {
		c.old, c.young, c.size = c.young, map[ref]*doc{}, 0
	}
}

func (c *cache) remove(r ref) {
	if d := c.young[r]; d != nil {
		c.size -= d.size()
		delete(c.young, r)
	}
	delete(c.old, r)
}

func (c *cache) clear() {
	c.young, c.old, c.size = map[ref]*doc{}, nil, 0
}
