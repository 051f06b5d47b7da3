using Angarium.Spool.Documents;
using Angarium.Spool.Files;

namespace Angarium.Integration.Cluster;

/// <summary>The membership table over documents in files of this machine.</summary>
public sealed class FileMembershipTableTests : MembershipTableContract, IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("angarium-test-").FullName;

    public FileMembershipTableTests()
    {
        Directory.CreateDirectory(Path.Combine(_root, "private"));
        Documents = new FileDocumentStore(LocalFileSystem.Instance, _root);
    }

    protected override IDocumentStore Documents { get; }

    public void Dispose() => Directory.Delete(_root, recursive: true);
}
