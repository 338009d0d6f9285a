package main

import (
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// special types have an encoding of their own; the codecs know them by these names.
var special = map[reflect.Type]string{
	reflect.TypeFor[metav1.Time]():          "time",
	reflect.TypeFor[metav1.MicroTime]():     "microtime",
	reflect.TypeFor[metav1.Duration]():      "duration",
	reflect.TypeFor[metav1.FieldsV1]():      "fields",
	reflect.TypeFor[runtime.RawExtension](): "raw",
	reflect.TypeFor[resource.Quantity]():    "quantity",
	reflect.TypeFor[intstr.IntOrString]():   "intorstring",
}

// table writes types in an order in which each refers only to earlier ones.
type table struct {
	protos *protos
	lines  []string
	ids    map[reflect.Type]int
	active map[reflect.Type]bool
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// kinds lists the kinds that are stored: they have ObjectMeta, and are no lists.
func (t *table) kinds(scheme *runtime.Scheme) {
	type entry struct {
		apiVersion, kind string
		goType           reflect.Type
	}
	var entries []entry
	for gvk, goType := range scheme.AllKnownTypes() {
		field, ok := goType.FieldByName("ObjectMeta")
		if ok && field.Type == reflect.TypeFor[metav1.ObjectMeta]() && gvk.Version != runtime.APIVersionInternal {
			entries = append(entries, entry{gvk.GroupVersion().String(), gvk.Kind, goType})
		}
	}
	sort.Slice(entries, func(i, j int) bool {
		a, b := entries[i], entries[j]
		return a.apiVersion < b.apiVersion || a.apiVersion == b.apiVersion && a.kind < b.kind
	})
	for _, e := range entries {
		id := t.message(e.goType)
		t.lines = append(t.lines, fmt.Sprintf("K %s %s %d", e.apiVersion, e.kind, id))
	}
}

func (t *table) message(goType reflect.Type) int {
	if id, ok := t.ids[goType]; ok {
		return id
	}
	if t.active[goType] {
		panic("recursive type " + goType.String() + ": the table cannot express it")
	}
	t.active[goType] = true
	proto := t.protos.of(goType.PkgPath())
	messageMarkers, ok := proto.messages[goType.Name()]
	if !ok {
		panic("no message " + goType.String())
	}
	flags := ""
	if messageMarkers.first("structType") == "atomic" {
		flags += " A"
	}
	var fields []string
	for i := range goType.NumField() {
		field := goType.Field(i)
		if field.Type == reflect.TypeFor[metav1.TypeMeta]() {
			flags += " M"
			continue
		}
		if line := t.field(goType, field, proto.fields[goType.Name()]); line != "" {
			fields = append(fields, line)
		}
	}
	id := len(t.ids)
	t.ids[goType] = id
	group := strings.TrimPrefix(strings.TrimPrefix(goType.PkgPath(), "k8s.io/api/"), "k8s.io/apimachinery/pkg/")
	name := strings.ReplaceAll(group, "/", ".") + "." + goType.Name()
	t.lines = append(t.lines, fmt.Sprintf("T %s%s", name, flags))
	t.lines = append(t.lines, fields...)
	return id
}

func (t *table) field(owner reflect.Type, field reflect.StructField, marks map[string]markers) string {
	tag := strings.Split(field.Tag.Get("protobuf"), ",")
	if len(tag) < 2 {
		fmt.Fprintf(os.Stderr, "%s.%s is not in protobuf: left out\n", owner, field.Name)
		return ""
	}
	number := tag[1]
	mark, ok := marks[number]
	if !ok {
		panic(fmt.Sprintf("%s.%s: no field %s in the proto file", owner, field.Name, number))
	}
	json := strings.Split(field.Tag.Get("json"), ",")
	name, attributes := json[0], ""
	for _, option := range json[1:] {
		switch option {
		case "omitempty":
			attributes += " o"
		case "omitzero":
			attributes += " z"
		case "inline", "":
		default:
			panic("json option " + option)
		}
	}
	goType := field.Type
	if goType.Kind() == reflect.Pointer {
		attributes += " *"
		goType = goType.Elem()
	}
	if name == "" {
		name = field.Name
		if field.Anonymous {
			attributes += " ~"
		}
	}
	return fmt.Sprintf("%s %s %s%s%s", name, number, t.code(goType), attributes, t.merge(field, goType, mark))
}

// code names a type; containers are written before what they contain.
func (t *table) code(goType reflect.Type) string {
	if name, ok := special[goType]; ok {
		return name
	}
	switch goType.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Int32:
		return "int32"
	case reflect.Int64:
		return "int64"
	case reflect.Struct:
		return fmt.Sprint(t.message(goType))
	case reflect.Map:
		if goType.Key().Kind() != reflect.String {
			panic("map key " + goType.String())
		}
		return "{}" + t.code(goType.Elem())
	case reflect.Slice:
		if goType.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if goType.Name() == "ExtraValue" {
			return "items"
		}
		return "[]" + t.code(goType.Elem())
	}
	panic("type " + goType.String())
}

// merge tells how Kubernetes itself merges the field: the markers of server-side apply, and where there is none the
// older patch strategy tags.
func (t *table) merge(field reflect.StructField, goType reflect.Type, mark markers) string {
	result := ""
	strategy := field.Tag.Get("patchStrategy")
	patchKey := field.Tag.Get("patchMergeKey")
	isList := goType.Kind() == reflect.Slice && goType.Elem().Kind() != reflect.Uint8
	switch listType := mark.first("listType"); {
	case !isList:
	case listType == "map":
		result += " k:" + strings.Join(t.keys(goType.Elem(), mark["listMapKey"]), ",")
	case listType == "set":
		result += " S"
	case listType == "" && patchKey != "":
		result += " k:" + strings.Join(t.keys(goType.Elem(), []string{patchKey}), ",")
	case listType == "" && strings.Contains(strategy, "merge"):
		result += " S"
	}
	if mark.first("structType") == "atomic" || mark.first("mapType") == "atomic" {
		result += " A"
	}
	if strings.Contains(strategy, "retainKeys") {
		result += " R"
	}
	return result
}

// keys adds to each key field the default that Kubernetes gives it: a string without one counts as empty.
func (t *table) keys(item reflect.Type, names []string) []string {
	var result []string
	for _, name := range names {
		key, ok := t.key(item, name)
		if !ok {
			panic(fmt.Sprintf("%s has no key field %s", item, name))
		}
		result = append(result, key)
	}
	return result
}

func (t *table) key(item reflect.Type, name string) (string, bool) {
	proto := t.protos.of(item.PkgPath()).fields[item.Name()]
	for i := range item.NumField() {
		field := item.Field(i)
		switch strings.Split(field.Tag.Get("json"), ",")[0] {
		case name:
			number := strings.Split(field.Tag.Get("protobuf"), ",")[1]
			fallback := strings.Trim(proto[number].first("default"), `"`)
			if field.Type.Kind() == reflect.String || fallback != "" {
				name += "=" + fallback
			}
			return name, true
		case "":
			if field.Anonymous && field.Type.Kind() == reflect.Struct {
				if key, ok := t.key(field.Type, name); ok {
					return key, true
				}
			}
		}
	}
	return "", false
}

func writeTable(path string) {
	t := &table{protos: newProtos(), ids: map[reflect.Type]int{}, active: map[reflect.Type]bool{}}
	t.kinds(knownKinds())
	header := "# Made by schema/generator from k8s.io/api v0.36.3 (Apache-2.0): do not edit. The format is told in schema/table.rs.\n"
	check(os.WriteFile(path, []byte(header+strings.Join(t.lines, "\n")+"\n"), 0o644))
	fmt.Printf("%d types\n", len(t.ids))
}
