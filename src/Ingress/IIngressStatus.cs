namespace Angarium.Ingress;

/// <summary>What the process asks the ingress role for `/readyz`. Any thread.</summary>
public interface IIngressStatus
{
    /// <summary>The listeners accept: from the end of the start to the beginning of the stop.</summary>
    bool IsAccepting { get; }

    /// <summary>SMTP connections open.</summary>
    int Connections { get; }
}
