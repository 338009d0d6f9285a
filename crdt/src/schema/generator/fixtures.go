package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
)

// codec is one of Kubernetes' own storage encodings.
type codec struct {
	extension  string
	serializer runtime.Serializer
}

func codecs(scheme *runtime.Scheme) []codec {
	return []codec{
		{".pb", protobuf.NewSerializer(scheme, scheme)},
		{".json", json.NewSerializerWithOptions(json.DefaultMetaFactory, scheme, scheme, json.SerializerOptions{Strict: true})},
	}
}

func writeFixtures(dir string) {
	scheme := knownKinds()
	check(os.MkdirAll(dir, 0o755))
	for name, object := range samples() {
		gvks, _, err := scheme.ObjectKinds(object)
		check(err)
		object.GetObjectKind().SetGroupVersionKind(gvks[0])
		for _, codec := range codecs(scheme) {
			var out bytes.Buffer
			check(codec.serializer.Encode(object, &out))
			check(os.WriteFile(filepath.Join(dir, name+codec.extension), out.Bytes(), 0o644))
		}
	}
}

// verify decodes the files of ours that have the names of fixtures, and compares them with the samples as objects.
func verify(fixtures, ours string) {
	scheme, failed, count := knownKinds(), 0, 0
	for name := range samples() {
		for _, codec := range codecs(scheme) {
			want, got := read(codec, filepath.Join(fixtures, name+codec.extension)), read(codec, filepath.Join(ours, name+codec.extension))
			count++
			if !equality.Semantic.DeepEqual(canonical(want), canonical(got)) {
				fmt.Printf("%s%s differs\n", name, codec.extension)
				failed++
			}
		}
	}
	fmt.Printf("%d values, %d differ\n", count, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func read(codec codec, path string) runtime.Object {
	data, err := os.ReadFile(path)
	check(err)
	object, _, err := codec.serializer.Decode(data, nil, nil)
	if err != nil {
		panic(path + ": " + err.Error())
	}
	return object
}

// canonical replaces the embedded JSON of managedFields by its sorted form, which our codec writes.
func canonical(object runtime.Object) runtime.Object {
	accessor := object.(metav1.Object)
	entries := accessor.GetManagedFields()
	for i := range entries {
		if fields := entries[i].FieldsV1; fields != nil {
			entries[i].FieldsV1 = &metav1.FieldsV1{Raw: sortedJSON(fields.Raw)}
		}
	}
	accessor.SetManagedFields(entries)
	return object
}

// when is a fixed time, some seconds after the start of 2026.
func when(seconds int) metav1.Time {
	return metav1.NewTime(time.Date(2026, 1, 1, 0, 0, seconds, 0, time.UTC))
}

func pointer[T any](value T) *T { return &value }

// meta is metadata as an apiserver stores it.
func meta(name string, managers ...string) metav1.ObjectMeta {
	result := metav1.ObjectMeta{
		Name: name, Namespace: "team-a", UID: "5f0c3a52-07e1-4f0c-9a7e-5c6a25b0a111", Generation: 3, CreationTimestamp: when(7),
		Labels: map[string]string{"app": name, "tier": ""}, Annotations: map[string]string{"note": "a <b> & \"c\"\n\u2028é😀\x01"},
	}
	for i, manager := range managers {
		entry := metav1.ManagedFieldsEntry{
			Manager: manager, Operation: metav1.ManagedFieldsOperationApply, APIVersion: "v1", Time: pointer(when(8 + i)), FieldsType: "FieldsV1",
			FieldsV1: &metav1.FieldsV1{Raw: []byte(`{"f:metadata":{"f:labels":{".":{},"f:app":{}}},"f:data":{"f:k<":{}}}`)},
		}
		if strings.HasSuffix(manager, "-controller") {
			entry.Operation, entry.Subresource = metav1.ManagedFieldsOperationUpdate, "status"
		}
		result.ManagedFields = append(result.ManagedFields, entry)
	}
	return result
}
