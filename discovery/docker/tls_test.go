package docker

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An engine that wants certificates is reached by all three calls.
func TestEngineWithTLS(t *testing.T) {
	f := newFakeEngine(t)
	f.put("a", "10.0.0.2")
	server := httptest.NewUnstartedServer(f)
	server.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	server.StartTLS()
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_CERT_PATH", writeCertificates(t, server.TLS.Certificates[0]))
	t.Setenv("DOCKER_TLS_VERIFY", "1")
	e, err := connect(t.Context(), strings.Replace(server.URL, "https", "tcp", 1), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.close()
	if all, err := e.list(t.Context(), nil); err != nil || len(all) != 1 {
		t.Errorf("list: %s, %v", all, err)
	}
	stream := e.events(t.Context(), time.Time{})
	f.emit("container start", "a")
	select {
	case <-stream.Messages:
	case err := <-stream.Err:
		t.Errorf("events: %v", err)
	}
}

// writeCertificates writes a certificate as that of the authority, and of the client.
func writeCertificates(t *testing.T, c tls.Certificate) (dir string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	certificate := &pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]}
	for name, block := range map[string]*pem.Block{
		"ca.pem": certificate, "cert.pem": certificate, "key.pem": {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
