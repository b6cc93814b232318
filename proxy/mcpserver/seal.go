package mcpserver

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"mcphub/proxy/jsonrpc"
)

const (
	sealVersion    = 1
	maxSessionID   = 1024                // characters
	sessionLife    = 30 * 24 * time.Hour // from initialize on
	maxClientInfo  = 200                 // bytes of clientInfo that are sealed
	keyBytes       = 32
	sealedHeadSize = 1 + 4 // version, key id
)

// Principal tells apart who may use a session: a tag of the token that was
// shown, zero where none is asked for. It does not give the token away.
type Principal [16]byte

// State is what a session id seals.
type State struct {
	Endpoint        string
	Principal       Principal
	ProtocolVersion string
	Capabilities    jsonrpc.Raw // the client's, an object
	ClientInfo      jsonrpc.Raw // an object
	Issued          time.Time   // in seconds
}

// Expires returns when the session ends for good.
func (s *State) Expires() time.Time { return s.Issued.Add(sessionLife) }

// Keys seal and open session ids, by AES-256-GCM (NIST SP 800-38D) with random
// nonces. The first key seals; all of them open, so that a key can be replaced
// without ending sessions.
type Keys struct {
	keys []sealKey
}

type sealKey struct {
	id   [4]byte
	seal cipher.AEAD
	tag  []byte // key of the principals' HMAC
}

// NewKeys returns Keys made from secrets of at least 32 random bytes. Without any
// it makes a random one, which lasts as long as the process.
func NewKeys(secrets ...[]byte) (*Keys, error) {
	if len(secrets) == 0 {
		secret := make([]byte, keyBytes)
		_, _ = rand.Read(secret) // never fails (crypto/rand)
		secrets = [][]byte{secret}
	}
	k := new(Keys)
	for i, secret := range secrets {
		key, err := newSealKey(secret)
		if err != nil {
			return nil, fmt.Errorf("session key %d: %w", i+1, err)
		}
		k.keys = append(k.keys, key)
	}
	return k, nil
}

func newSealKey(secret []byte) (key sealKey, err error) {
	if len(secret) < keyBytes {
		return key, fmt.Errorf("has %d bytes; it needs %d random ones", len(secret), keyBytes)
	}
	derived, err := hkdf.Key(sha256.New, secret, nil, "mcphub session ids", 2*keyBytes+len(key.id))
	if err != nil {
		return key, err
	}
	block, err := aes.NewCipher(derived[:keyBytes])
	if err != nil {
		return key, err
	}
	key.seal, err = cipher.NewGCMWithRandomNonce(block)
	key.tag = derived[keyBytes : 2*keyBytes]
	copy(key.id[:], derived[2*keyBytes:])
	return key, err
}

// principals returns the tags of a token, one under each key: new sessions get
// the first, the others are for sessions that an older key has sealed.
func (k *Keys) principals(token string) []Principal {
	tags := make([]Principal, len(k.keys))
	for i := range k.keys {
		mac := hmac.New(sha256.New, k.keys[i].tag)
		mac.Write([]byte(token))
		copy(tags[i][:], mac.Sum(nil))
	}
	return tags
}

// anonymous are the principals of an endpoint without a token.
var anonymous = []Principal{{}}

// seal returns the session id of a state. ok is false if the state is too large
// for one: then the id is random, and good only while this process keeps the
// session.
func (k *Keys) seal(s *State) (id string, ok bool) {
	key := &k.keys[0]
	head := append([]byte{sealVersion}, key.id[:]...)
	sealed := key.seal.Seal(head, nil, s.encode(), head)
	id = base64.RawURLEncoding.EncodeToString(sealed)
	if len(id) <= maxSessionID {
		return id, true
	}
	return rand.Text() + rand.Text(), false
}

var errSessionID = errors.New("the session id is not one of this hub's")

// open returns the state that a session id seals.
func (k *Keys) open(id string) (*State, error) {
	if len(id) > maxSessionID {
		return nil, errSessionID
	}
	sealed, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || base64.RawURLEncoding.EncodeToString(sealed) != id { // of all spellings one is an id
		return nil, errSessionID
	}
	if len(sealed) < sealedHeadSize || sealed[0] != sealVersion {
		return nil, errSessionID
	}
	head, body := sealed[:sealedHeadSize], sealed[sealedHeadSize:]
	for i := range k.keys {
		if key := &k.keys[i]; string(key.id[:]) == string(head[1:]) {
			plain, err := key.seal.Open(nil, nil, body, head)
			if err != nil {
				return nil, errSessionID
			}
			return decodeState(plain)
		}
	}
	return nil, errSessionID
}

// encode writes the state as length-prefixed strings. Client info beyond its
// bound is left out.
func (s *State) encode() []byte {
	info := s.ClientInfo
	if len(info) > maxClientInfo {
		info = cutClientInfo(info)
	}
	var out []byte
	for _, field := range [][]byte{
		[]byte(s.Endpoint), s.Principal[:], []byte(s.ProtocolVersion), s.Capabilities, info,
		binary.AppendVarint(nil, s.Issued.Unix()),
	} {
		out = binary.AppendUvarint(out, uint64(len(field)))
		out = append(out, field...)
	}
	return out
}

// cutClientInfo keeps the name and version of a client's long description of
// itself, cut so that the whole stays within its bound.
func cutClientInfo(info jsonrpc.Raw) jsonrpc.Raw {
	cut := func(key string, most int) jsonrpc.Raw {
		text := jsonrpc.Text(info, key)
		quoted := jsonrpc.Quote(text)
		for len(quoted) > most {
			text = text[:len(text)-1]
			quoted = jsonrpc.Quote(text)
		}
		return quoted
	}
	out := append(jsonrpc.Raw(`{"name":`), cut("name", 100)...)
	out = append(append(out, `,"version":`...), cut("version", 60)...)
	return append(out, '}')
}

func decodeState(plain []byte) (*State, error) {
	var fields [6][]byte
	for i := range fields {
		size, n := binary.Uvarint(plain)
		if n <= 0 || size > uint64(len(plain)-n) {
			return nil, errSessionID
		}
		fields[i], plain = plain[n:n+int(size)], plain[n+int(size):]
	}
	issued, n := binary.Varint(fields[5])
	if n <= 0 || len(plain) != 0 || len(fields[1]) != len(Principal{}) {
		return nil, errSessionID
	}
	return &State{
		Endpoint: string(fields[0]), Principal: Principal(fields[1]), ProtocolVersion: string(fields[2]),
		Capabilities: fields[3], ClientInfo: fields[4], Issued: time.Unix(issued, 0),
	}, nil
}
