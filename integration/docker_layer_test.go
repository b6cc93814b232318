package integration

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// layer is the files of an image, or of what one is built from, in the making.
type layer struct {
	*tar.Writer
	done map[string]bool // what is in it already
}

// text adds a file.
func (l *layer) text(path, content string) error {
	return l.add(&tar.Header{Name: path, Mode: 0o644, Size: int64(len(content))}, strings.NewReader(content))
}

// temporary adds the directory for temporary files.
func (l *layer) temporary() error {
	return l.add(&tar.Header{Name: "/tmp/", Typeflag: tar.TypeDir, Mode: 0o1777}, nil)
}

// file adds a file of this machine, and what a link on the way there points to.
func (l *layer) file(path, source string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	return l.add(&tar.Header{Name: path, Mode: int64(info.Mode().Perm()), Size: info.Size()}, file)
}

func (l *layer) add(header *tar.Header, content io.Reader) error {
	header.Name = strings.TrimPrefix(header.Name, "/")
	if l.done[header.Name] {
		return nil
	}
	l.done[header.Name] = true
	if err := l.WriteHeader(header); err != nil {
		return err
	}
	if content == nil {
		return nil
	}
	_, err := io.Copy(l, content)
	return err
}

// tree adds a directory of this machine, but for entries at its top. Links stay links.
func (l *layer) tree(path, source string, but ...string) error {
	return filepath.WalkDir(source, func(at string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(source, at)
		if err != nil {
			return err
		}
		if slices.Contains(but, inside) {
			return fs.SkipDir
		}
		target := filepath.Join(path, inside)
		switch entry.Type() {
		case fs.ModeSymlink:
			link, err := os.Readlink(at)
			if err != nil {
				return err
			}
			return l.link(target, link)
		case 0:
			return l.file(target, at)
		default:
			return nil
		}
	})
}

func (l *layer) link(path, target string) error {
	return l.add(&tar.Header{Name: path, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777}, nil)
}

// links adds the links from a path to the file that it leads to.
func (l *layer) links(path string) error {
	for {
		target, err := os.Readlink(path)
		if err != nil {
			return nil // it is the file
		}
		if err := l.link(path, target); err != nil {
			return err
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		path = target
	}
}

// program adds a program of this machine with the libraries that it is linked with.
func (l *layer) program(path, command string) error {
	found, err := exec.LookPath(command)
	if err != nil {
		return err
	}
	if err := l.file(path, found); err != nil {
		return err
	}
	return l.libraries(found)
}

// shell adds busybox with the commands that scripts of servers are started by.
func (l *layer) shell() error {
	if err := l.program("/bin/busybox", "busybox"); err != nil {
		return fmt.Errorf("%w; .ci/engine installs it", err)
	}
	for _, name := range []string{"/bin/sh", "/bin/cat", "/bin/sleep", "/usr/bin/env"} {
		if err := l.link(name, "/bin/busybox"); err != nil {
			return err
		}
	}
	return nil
}

// extensions adds the libraries that the libraries in some directories are linked with.
func (l *layer) extensions(dirs ...string) error {
	var found []string
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(at string, entry fs.DirEntry, err error) error {
			if err == nil && entry.Type() == 0 && strings.HasSuffix(at, ".so") {
				found = append(found, at)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return l.libraries(found...)
}

var linked = regexp.MustCompile(`(?m)^\s*(?:\S+ => )?(/\S+) \(0x`)

// libraries adds what files are linked with, as ldd has it.
func (l *layer) libraries(files ...string) error {
	var output bytes.Buffer
	ldd := exec.Command("ldd", files...)
	ldd.Stdout, ldd.Stderr = &output, &output
	if err := ldd.Run(); err != nil && !strings.Contains(output.String(), "not a dynamic executable") {
		return fmt.Errorf("ldd: %w\n%s", err, output.String())
	}
	for _, found := range linked.FindAllStringSubmatch(output.String(), -1) {
		if err := l.file(found[1], found[1]); err != nil {
			return err
		}
	}
	return nil
}

// tail returns the end of what can be read.
func tail(r io.Reader) string {
	const most = 8 << 10
	content, _ := io.ReadAll(r) // what could be read is shown
	return string(content[max(0, len(content)-most):])
}
