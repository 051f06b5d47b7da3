using Angarium.Mail;

namespace Angarium.Contracts.Admin;

/// <summary>Whether new mail may be accepted now, as far as the queues are concerned (design rule 23): null, or the 4yz to answer. Asked before MAIL; any thread; cheap.</summary>
public interface IAdmission
{
    Reply? Refusal { get; }
}
