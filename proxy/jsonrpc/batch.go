package jsonrpc

// MaxBatch is how many messages a batch may hold.
const MaxBatch = 100

// Element is what stands in a batch: a message, or what is none.
type Element struct {
	Message *Message // of what is no message, its id alone, if that could be read
	Err     error    // why it is no message
}

// IsBatch reports whether data begins as an array.
func IsBatch(data []byte) bool {
	s := scanner{data: data}
	return s.next() == '['
}

// Batch reads an array of messages, as revision 2025-03-26 has it. It refuses what
// is no valid JSON, and what holds no element or more than MaxBatch; a single
// element is refused by its Err. The messages share data's memory.
func Batch(data []byte) ([]Element, error) {
	raw, err := split(data)
	if err != nil {
		return nil, err
	}
	elements := make([]Element, 0, len(raw))
	for _, text := range raw {
		m, err := Parse(text)
		if err != nil {
			m = &Message{ID: readableID(text)}
		}
		elements = append(elements, Element{m, err})
	}
	return elements, nil
}

// ParseBatch reads one message or an array of them, each of which must be good;
// batch tells which it was.
func ParseBatch(data []byte) (messages []*Message, batch bool, err error) {
	if !IsBatch(data) {
		m, err := Parse(data)
		return []*Message{m}, false, err
	}
	raw, err := split(data)
	if err != nil {
		return nil, true, err
	}
	for _, text := range raw {
		m, err := Parse(text)
		if err != nil {
			return nil, true, err
		}
		messages = append(messages, m)
	}
	return messages, true, nil
}

// split returns the elements of a batch.
func split(data []byte) (elements []Raw, err error) {
	s := scanner{data: data}
	s.space()
	if err := s.skip(); err != nil {
		return nil, err
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	for element := range Elements(data) {
		if len(elements) == MaxBatch {
			return nil, Errorf(CodeInvalidRequest, "a batch holds at most %d messages", MaxBatch)
		}
		elements = append(elements, element)
	}
	if len(elements) == 0 {
		return nil, Errorf(CodeInvalidRequest, "a batch holds at least one message")
	}
	return elements, nil
}

// readableID returns the id by which the sender of what is no message knows it.
// Something like a response has none: its id is of the other side's requests.
func readableID(text Raw) Raw {
	values, err := Lookup(text, "id", "result", "error")
	if err != nil || values[1] != nil || values[2] != nil || !isID(values[0]) {
		return nil
	}
	return values[0]
}
