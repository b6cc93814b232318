package proxy

import (
	"container/list"
	"iter"
)

// maxNotes bounds a notebook.
const maxNotes = 1000

// notebook remembers a value for each of a bounded number of ids. Beyond the bound
// it forgets what was noted longest ago.
type notebook[K comparable, V any] struct {
	at    map[K]*list.Element
	notes list.List // of note[K, V], the one made longest ago first
}

type note[K comparable, V any] struct {
	id    K
	value V
}

// put notes a value for an id, in place of the one it had. The note that it
// crowds out is returned; nil if there is none.
func (b *notebook[K, V]) put(id K, value V) (forgotten *note[K, V]) {
	if b.at == nil {
		b.at = map[K]*list.Element{}
	}
	if e := b.at[id]; e != nil {
		b.notes.Remove(e)
	}
	b.at[id] = b.notes.PushBack(note[K, V]{id, value})
	if len(b.at) <= maxNotes {
		return nil
	}
	oldest := b.notes.Remove(b.notes.Front()).(note[K, V])
	delete(b.at, oldest.id)
	return &oldest
}

func (b *notebook[K, V]) get(id K) (value V, ok bool) {
	e := b.at[id]
	if e == nil {
		return value, false
	}
	return e.Value.(note[K, V]).value, true
}

// remove forgets what is noted for an id.
func (b *notebook[K, V]) remove(id K) {
	if e := b.at[id]; e != nil {
		b.notes.Remove(e)
		delete(b.at, id)
	}
}

// all yields what is noted, in no order.
func (b *notebook[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for id, e := range b.at {
			if !yield(id, e.Value.(note[K, V]).value) {
				return
			}
		}
	}
}
