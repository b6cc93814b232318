package proxy

import (
	"container/list"
	"iter"
)

// maxNotes bounds a notebook.
const maxNotes = 1000

// notebook remembers a value for each of a bounded number of ids. Beyond the bound
// it forgets what was noted longest ago.
type notebook[V any] struct {
	at    map[string]*list.Element
	notes list.List // of note[V], the one made longest ago first
}

type note[V any] struct {
	id    string
	value V
}

// put notes a value for an id, in place of the one it had. The note that it
// crowds out is returned; nil if there is none.
func (b *notebook[V]) put(id string, value V) (forgotten *note[V]) {
	if b.at == nil {
		b.at = map[string]*list.Element{}
	}
	if e := b.at[id]; e != nil {
		b.notes.Remove(e)
	}
	b.at[id] = b.notes.PushBack(note[V]{id, value})
	if len(b.at) <= maxNotes {
		return nil
	}
	oldest := b.notes.Remove(b.notes.Front()).(note[V])
	delete(b.at, oldest.id)
	return &oldest
}

func (b *notebook[V]) get(id string) (value V, ok bool) {
	e := b.at[id]
	if e == nil {
		return value, false
	}
	return e.Value.(note[V]).value, true
}

// all yields what is noted, in no order.
func (b *notebook[V]) all() iter.Seq2[string, V] {
	return func(yield func(string, V) bool) {
		for id, e := range b.at {
			if !yield(id, e.Value.(note[V]).value) {
				return
			}
		}
	}
}
