package main

import (
	"encoding/json"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func sortedJSON(raw []byte) []byte {
	var value any
	check(json.Unmarshal(raw, &value))
	sorted, err := json.Marshal(value)
	check(err)
	return sorted
}

// samples are objects that between them use every special type, every kind of list, and what is inlined in JSON.
func samples() map[string]runtime.Object {
	selector := &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	percent, five := intstr.FromString("25%"), intstr.FromInt32(5)
	owned := meta("owned")
	owned.OwnerReferences = []metav1.OwnerReference{
		{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "b1", Controller: pointer(true), BlockOwnerDeletion: pointer(false)},
		{APIVersion: "v1", Kind: "ConfigMap", Name: "settings", UID: "b2"},
	}
	deleting := meta("deleting")
	deleting.DeletionTimestamp, deleting.DeletionGracePeriodSeconds = pointer(when(59)), pointer(int64(0))
	deleting.Finalizers = []string{"example.org/one", "example.org/two"}
	return map[string]runtime.Object{
		"deployment": &appsv1.Deployment{
			ObjectMeta: meta("web", "kubectl", "kube-controller-manager-controller"),
			Spec: appsv1.DeploymentSpec{
				Replicas: pointer(int32(0)), Selector: selector,
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: selector.MatchLabels}, Spec: podSpec()},
				Strategy: appsv1.DeploymentStrategy{
					Type: appsv1.RollingUpdateDeploymentStrategyType, RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: &percent, MaxSurge: &five},
				},
				RevisionHistoryLimit: pointer(int32(10)), ProgressDeadlineSeconds: pointer(int32(600)),
			},
			Status: appsv1.DeploymentStatus{
				ObservedGeneration: 3, Replicas: 2, ReadyReplicas: 1, CollisionCount: pointer(int32(0)),
				Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentAvailable, Status: corev1.ConditionTrue, LastUpdateTime: when(9)}},
			},
		},
		"deployment-minimal": &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: "web"},
			Spec:       appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{}, Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c"}}}}},
		},
		"configmap": &corev1.ConfigMap{
			ObjectMeta: meta("settings", "kubectl", "helm"), Immutable: pointer(false),
			Data: map[string]string{"a": "1", "empty": "", "text": "line\nline\t<>"}, BinaryData: map[string][]byte{"blob": {0, 255, 1}, "none": {}},
		},
		"configmap-owned":    &corev1.ConfigMap{ObjectMeta: owned},
		"configmap-deleting": &corev1.ConfigMap{ObjectMeta: deleting, Data: map[string]string{"k": "v"}},
		"secret": &corev1.Secret{
			ObjectMeta: meta("token"), Type: corev1.SecretTypeOpaque, Data: map[string][]byte{"password": []byte("p\x00\xff"), "empty": {}},
		},
		"serviceaccount": &corev1.ServiceAccount{
			ObjectMeta: meta("robot"), Secrets: []corev1.ObjectReference{{Name: "robot-token"}}, ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}},
			AutomountServiceAccountToken: pointer(false),
		},
		"service": &corev1.Service{
			ObjectMeta: meta("web", "kubectl"),
			Spec: corev1.ServiceSpec{
				Type: corev1.ServiceTypeNodePort, ClusterIP: "10.0.0.7", ClusterIPs: []string{"10.0.0.7"}, IPFamilies: []corev1.IPFamily{corev1.IPv4Protocol},
				IPFamilyPolicy: pointer(corev1.IPFamilyPolicySingleStack), Selector: selector.MatchLabels, SessionAffinity: corev1.ServiceAffinityNone,
				ExternalTrafficPolicy: corev1.ServiceExternalTrafficPolicyLocal, InternalTrafficPolicy: pointer(corev1.ServiceInternalTrafficPolicyCluster),
				Ports: []corev1.ServicePort{
					{Name: "http", Protocol: corev1.ProtocolTCP, Port: 80, TargetPort: intstr.FromString("web"), NodePort: 30080, AppProtocol: pointer("http")},
					{Name: "dns", Protocol: corev1.ProtocolUDP, Port: 53, TargetPort: intstr.FromInt32(5353)}, {Name: "bare", Port: 9},
				},
			},
		},
		"service-headless": &corev1.Service{
			ObjectMeta: meta("peers"), Spec: corev1.ServiceSpec{ClusterIP: "None", ClusterIPs: []string{"None"}, Type: corev1.ServiceTypeClusterIP, Selector: selector.MatchLabels},
		},
		"namespace": &corev1.Namespace{
			ObjectMeta: metav1.ObjectMeta{Name: "team-a", UID: "n1", CreationTimestamp: when(1), Labels: map[string]string{"kubernetes.io/metadata.name": "team-a", "pod-security.kubernetes.io/enforce": "baseline", "team": "a"}},
			Spec:       corev1.NamespaceSpec{Finalizers: []corev1.FinalizerName{corev1.FinalizerKubernetes}}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceActive},
		},
		"pod": &corev1.Pod{
			ObjectMeta: meta("one", "kubelet-controller"), Spec: podSpec(),
			Status: corev1.PodStatus{
				Phase: corev1.PodRunning, StartTime: pointer(when(12)), PodIPs: []corev1.PodIP{{IP: "10.1.1.1"}},
				ContainerStatuses: []corev1.ContainerStatus{{Name: "main", Ready: true, Started: pointer(true), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: when(13)}}, AllocatedResources: corev1.ResourceList{"cpu": resource.MustParse("1500m")}}},
			},
		},
		"statefulset": &appsv1.StatefulSet{
			ObjectMeta: meta("db"), Spec: appsv1.StatefulSetSpec{
				Selector: selector, ServiceName: "db", Template: corev1.PodTemplateSpec{Spec: podSpec()},
				VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, Resources: corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("1Gi")}}}}},
			},
		},
		"cronjob": &batchv1.CronJob{
			ObjectMeta: meta("nightly"), Spec: batchv1.CronJobSpec{Schedule: "0 3 * * *", Suspend: pointer(false), JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: corev1.PodTemplateSpec{Spec: podSpec()}, BackoffLimit: pointer(int32(-1))}}},
		},
		"hpa": &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: meta("web"), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}, MinReplicas: pointer(int32(1)), MaxReplicas: 4,
				Metrics: []autoscalingv2.MetricSpec{{Type: autoscalingv2.PodsMetricSourceType, Pods: &autoscalingv2.PodsMetricSource{Metric: autoscalingv2.MetricIdentifier{Name: "q"}, Target: autoscalingv2.MetricTarget{Type: autoscalingv2.AverageValueMetricType, AverageValue: resource.NewMilliQuantity(1500, resource.DecimalSI)}}}},
			},
		},
		"pdb":           &policyv1.PodDisruptionBudget{ObjectMeta: meta("web"), Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: &percent, Selector: selector}},
		"rolebinding":   &rbacv1.RoleBinding{ObjectMeta: meta("bind"), Subjects: []rbacv1.Subject{{Kind: "ServiceAccount", Name: "robot"}}, RoleRef: rbacv1.RoleRef{Kind: "Role", Name: "r"}},
		"networkpolicy": &networkingv1.NetworkPolicy{ObjectMeta: meta("deny"), Spec: networkingv1.NetworkPolicySpec{PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}, Ingress: []networkingv1.NetworkPolicyIngressRule{{}, {Ports: []networkingv1.NetworkPolicyPort{{Port: &five}}}}}},
		"lease":         &coordinationv1.Lease{ObjectMeta: meta("leader"), Spec: coordinationv1.LeaseSpec{HolderIdentity: pointer(""), RenewTime: pointer(metav1.NewMicroTime(time.Date(2026, 1, 1, 0, 0, 0, 1500, time.UTC)))}},
		"revision":      &appsv1.ControllerRevision{ObjectMeta: meta("web-1"), Data: runtime.RawExtension{Raw: []byte(`{"spec":{"a":[1,2.50,12345678901234567890,null]}}`)}, Revision: 1},
		"csr": &certificatesv1.CertificateSigningRequest{
			ObjectMeta: metav1.ObjectMeta{Name: "csr"}, Spec: certificatesv1.CertificateSigningRequestSpec{Request: []byte("pem"), SignerName: "x/y", Groups: []string{"a", "a"}, Extra: map[string]certificatesv1.ExtraValue{"k": {"1", "2"}}},
		},
	}
}

func podSpec() corev1.PodSpec {
	probe := func(handler corev1.ProbeHandler) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: handler, PeriodSeconds: 10, TerminationGracePeriodSeconds: pointer(int64(0))}
	}
	return corev1.PodSpec{
		ServiceAccountName: "robot", AutomountServiceAccountToken: pointer(false), TerminationGracePeriodSeconds: pointer(int64(0)), SecurityContext: &corev1.PodSecurityContext{},
		NodeSelector: map[string]string{"disk": "ssd"}, Tolerations: []corev1.Toleration{{Key: "k", Operator: corev1.TolerationOpExists, TolerationSeconds: pointer(int64(300))}},
		ImagePullSecrets: []corev1.LocalObjectReference{{Name: "pull"}}, HostAliases: []corev1.HostAlias{{IP: "127.0.0.1", Hostnames: []string{"a", "b"}}},
		Volumes: []corev1.Volume{
			{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
			{Name: "sized", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory, SizeLimit: pointer(resource.MustParse("64Mi"))}}},
			{Name: "settings", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, DefaultMode: pointer(int32(0o644)), Items: []corev1.KeyToPath{{Key: "a", Path: "b"}}}}},
			{Name: "fields", VolumeSource: corev1.VolumeSource{DownwardAPI: &corev1.DownwardAPIVolumeSource{Items: []corev1.DownwardAPIVolumeFile{{Path: "cpu", ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.cpu"}}}}}},
		},
		InitContainers: []corev1.Container{{Name: "init", Image: "busybox", Command: []string{"sh", "-c", "true"}, RestartPolicy: pointer(corev1.ContainerRestartPolicyAlways)}},
		Containers: []corev1.Container{{
			Name: "main", Image: "nginx:1.29", Args: []string{"", "-v"},
			Ports:   []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}, {ContainerPort: 53, Protocol: corev1.ProtocolUDP}},
			EnvFrom: []corev1.EnvFromSource{{Prefix: "P_", ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}, Optional: pointer(true)}}},
			Env: []corev1.EnvVar{
				{Name: "A", Value: "1"}, {Name: "EMPTY"}, {Name: "PASSWORD", ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: "token"}, Key: "password"}}},
				{Name: "NODE", ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "spec.nodeName"}}},
			},
			Resources: corev1.ResourceRequirements{
				Limits: corev1.ResourceList{"cpu": resource.MustParse("1"), "memory": resource.MustParse("128Mi")}, Requests: corev1.ResourceList{"cpu": resource.MustParse("100m"), "memory": resource.MustParse("0")},
			},
			VolumeMounts:    []corev1.VolumeMount{{Name: "scratch", MountPath: "/tmp", ReadOnly: true}, {Name: "settings", MountPath: "/etc/settings"}},
			LivenessProbe:   probe(corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/live", Port: intstr.FromString("web"), HTTPHeaders: []corev1.HTTPHeader{{Name: "h", Value: "v"}}}}),
			ReadinessProbe:  probe(corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}),
			StartupProbe:    probe(corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromInt32(8080)}}),
			Lifecycle:       &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}},
			SecurityContext: &corev1.SecurityContext{Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}, RunAsUser: pointer(int64(0)), Privileged: pointer(false)},
		}},
		TopologySpreadConstraints: []corev1.TopologySpreadConstraint{{MaxSkew: 1, TopologyKey: "zone", WhenUnsatisfiable: corev1.DoNotSchedule, LabelSelector: &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"web"}}}}}},
	}
}
