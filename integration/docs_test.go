package integration

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocsNameTests finds each test that docs/ refers to, as folder.TestName, in its folder.
func TestDocsNameTests(t *testing.T) {
	pages, err := filepath.Glob("../docs/*.md")
	if err != nil || len(pages) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	reference := regexp.MustCompile("`([a-z]+)\\.((?:Test|Fuzz|Benchmark)[A-Za-z0-9_]*)`")
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		references := reference.FindAllStringSubmatch(string(text), -1)
		if len(references) == 0 {
			t.Errorf("%s refers to no test", page)
		}
		for _, r := range references {
			if !hasTest(t, r[1], r[2]) {
				t.Errorf("%s: no test %s in a folder %s", page, r[2], r[1])
			}
		}
	}
}

// hasTest says whether a folder of that name has the test.
func hasTest(t *testing.T, folder, name string) bool {
	for _, pattern := range []string{"../", "../*/", "../*/*/"} {
		files, err := filepath.Glob(pattern + folder + "/*_test.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(text), "\nfunc "+name+"(") {
				return true
			}
		}
	}
	return false
}
