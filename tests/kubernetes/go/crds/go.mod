module kubernetes-api/crds

go 1.26.0

require (
	github.com/external-secrets/external-secrets v0.16.2
	github.com/kedacore/keda/v2 v2.20.2
	github.com/prometheus-operator/prometheus-operator v0.92.1
	sigs.k8s.io/gateway-api v1.5.1
)
