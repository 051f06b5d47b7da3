namespace Angarium.Grains.Membership;

/// <summary>Whether this silo may still act for what it owns (design rules 14, 16, 21). Any thread.</summary>
public interface IStanding
{
    /// <summary>Its membership row was confirmed within the last 10 s. Always true where all roles are one process under the lock on Data.</summary>
    bool IsConfirmed { get; }

    /// <summary>Asks now: for what is seldom done, and must not be done by a silo that was frozen, even where its clocks stood still as well.</summary>
    /// <exception cref="IOException">Not known.</exception>
    Task<bool> ConfirmAsync(CancellationToken cancellationToken) => Task.FromResult(IsConfirmed);

    /// <summary>Its row was there within the last 10 s, and not dead: it stops perhaps, but nobody else has its grains yet.</summary>
    bool IsMember => IsConfirmed;

    /// <summary>All roles are one process that took the lock on Data: nothing of an earlier one lives, so no waits are needed.</summary>
    bool IsSoleProcess { get; }
}
