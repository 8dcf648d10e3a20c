package match

// A vocabulary numbers strings that are in use. Numbers of strings that left
// the pool are given out again, so it stays as big as the pool.
type vocabulary struct {
	ids  map[string]uint32
	refs []int32
	free []uint32
}

func newVocabulary() *vocabulary { return &vocabulary{ids: map[string]uint32{}} }

// take returns the number of s and counts one use.
func (v *vocabulary) take(s string) uint32 {
	id, ok := v.ids[s]
	if !ok {
		if n := len(v.free); n > 0 {
			id = v.free[n-1]
			v.free = v.free[:n-1]
		} else {
			id = uint32(len(v.refs))
			v.refs = append(v.refs, 0)
		}
		v.ids[s] = id
	}
	v.refs[id]++
	return id
}

// drop ends one use of s.
func (v *vocabulary) drop(s string) {
	id, ok := v.ids[s]
	if !ok {
		return
	}
	if v.refs[id]--; v.refs[id] == 0 {
		delete(v.ids, s)
		v.free = append(v.free, id)
	}
}
