package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// markers are the `+name=value` comment lines of one message or field of a generated.proto file.
type markers map[string][]string

func (m markers) first(name string) string {
	if values := m[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}

// protoFile holds what reflection on the Go types does not know: the markers, by message and field number.
type protoFile struct {
	messages map[string]markers
	fields   map[string]map[string]markers
}

var (
	messageLine = regexp.MustCompile(`^message (\w+) \{`)
	fieldLine   = regexp.MustCompile(`^\s+(?:optional |repeated |required |map<).* = (\d+);`)
	markerLine  = regexp.MustCompile(`^\s*// \+([A-Za-z]+)(?:=(.*))?$`)
)

func readProto(path string) protoFile {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	result := protoFile{messages: map[string]markers{}, fields: map[string]map[string]markers{}}
	message, pending := "", markers{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		line := lines.Text()
		if found := markerLine.FindStringSubmatch(line); found != nil {
			pending[found[1]] = append(pending[found[1]], strings.TrimSpace(found[2]))
		} else if found := messageLine.FindStringSubmatch(line); found != nil {
			message = found[1]
			result.messages[message], result.fields[message] = pending, map[string]markers{}
			pending = markers{}
		} else if found := fieldLine.FindStringSubmatch(line); found != nil {
			result.fields[message][found[1]] = pending
			pending = markers{}
		} else if line == "}" {
			pending = markers{}
		}
	}
	check(lines.Err())
	return result
}

// protos finds and caches the generated.proto file of a Go package.
type protos struct {
	moduleDirs map[string]string
	files      map[string]protoFile
}

func newProtos() *protos {
	dirs := map[string]string{}
	for _, module := range []string{"k8s.io/api", "k8s.io/apimachinery"} {
		out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
		check(err)
		dirs[module] = strings.TrimSpace(string(out))
	}
	return &protos{moduleDirs: dirs, files: map[string]protoFile{}}
}

func (p *protos) of(goPackage string) protoFile {
	if file, ok := p.files[goPackage]; ok {
		return file
	}
	for module, dir := range p.moduleDirs {
		if rest, ok := strings.CutPrefix(goPackage, module+"/"); ok {
			file := readProto(filepath.Join(dir, rest, "generated.proto"))
			p.files[goPackage] = file
			return file
		}
	}
	panic("no generated.proto for " + goPackage)
}
