using System.Diagnostics;
using System.Reflection;
using System.Text.Json;
using Angarium.Spool;
using Angarium.TestKit;

namespace Angarium.Unit.Infra;

/// <summary>infra/azure as Azure Resource Manager gets it: compiled by the Bicep compiler without a warning, and what each identity may do, container by container.</summary>
public sealed class AzureTests(AzureTemplate template) : IClassFixture<AzureTemplate>
{
    private const string Blobs = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs/";

    private JsonElement Storage => template.Module("storage");

    [Fact]
    public void Files_Compile_WithoutAWarning()
    {
        Assert.Equal("", template.Complaints);
        Assert.Equal("", template.Build("build-params", "example.bicepparam", out _));
    }

    [Fact]
    public void Rights_OfEachRole_AreThoseOfTheRolesTable()
    {
        var rights = Storage.GetProperty("variables").GetProperty("rights").EnumerateArray()
            .Select(right => (Role: Text(right, "role"), Container: Text(right, "container"), Right: Text(right, "right"))).ToList();
        Assert.Equal(
            [("api", "cluster", "read"), ("api", "ledger", "list"), ("egress", "cluster", "read"), ("egress", "moved", "read"), ("egress", "spool", "read"), ("ingress", "cluster", "read"), ("ingress", "spool", "create")],
            rights.Where(right => right.Role != "grains").Order());
        Assert.Equal(AzureStoreOptions.Names.Order(), rights.Where(right => right is { Role: "grains", Right: "all" }).Select(right => right.Container).Order());

        var definitions = Storage.GetProperty("variables").GetProperty("definitions");
        Assert.Equal(
            [("create", "create"), ("read", "read"), ("list", "read"), ("all", "all")],
            Storage.GetProperty("variables").GetProperty("definitionOf").EnumerateObject().Select(one => (one.Name, Text(definitions[one.Value.GetInt32()], "right"))));
        Assert.Equal([Blobs + "add/action"], Definition("create", "dataActions"));
        Assert.Empty(Definition("create", "actions"));
        Assert.Equal([Blobs + "read"], Definition("read", "dataActions"));
        Assert.Empty(Definition("read", "actions"));
        Assert.DoesNotContain(Definition("all", "actions"), action => action.EndsWith("/delete", StringComparison.Ordinal) || action.Contains('*', StringComparison.Ordinal));
        Assert.All(Definition("all", "dataActions"), action => Assert.StartsWith(Blobs, action, StringComparison.Ordinal));

        var assignment = template.Resource("storage", "Microsoft.Authorization/roleAssignments");
        Assert.Equal("[length(variables('rights'))]", Text(assignment.GetProperty("copy"), "count"));
        // One container each, never the account; and who reads by name is not to list.
        Assert.StartsWith("[resourceId('Microsoft.Storage/storageAccounts/blobServices/containers', ", Text(assignment, "scope"), StringComparison.Ordinal);
        Assert.EndsWith("variables('containerNames')[indexOf(variables('containerNames'), variables('rights')[copyIndex()].container)]))]", Text(assignment, "scope"), StringComparison.Ordinal);
        Assert.Equal("[if(equals(variables('rights')[copyIndex()].right, 'read'), variables('neverLists'), null())]", Text(assignment.GetProperty("properties"), "condition"));
        Assert.Equal($"!(ActionMatches{{'{Blobs}read'}} AND SubOperationMatches{{'Blob.List'}})", template.Unfold(Text(Storage.GetProperty("variables"), "neverLists"), Storage));
    }

    [Fact]
    public void Account_HasNoKeysNoPublicAccessAndTls()
    {
        var account = template.Resource("storage", "Microsoft.Storage/storageAccounts").GetProperty("properties");
        foreach (var (name, value) in new (string, object)[] { ("allowSharedKeyAccess", false), ("allowBlobPublicAccess", false), ("allowCrossTenantReplication", false), ("supportsHttpsTrafficOnly", true), ("minimumTlsVersion", "TLS1_2"), ("publicNetworkAccess", "Disabled") })
            Assert.Equal(value.ToString(), account.GetProperty(name).ToString());
        Assert.Equal("Deny", Text(account.GetProperty("networkAcls"), "defaultAction"));
        Assert.Equal("None", Text(template.Resource("storage", "Microsoft.Storage/storageAccounts/blobServices/containers").GetProperty("properties"), "publicAccess"));
        Assert.Equal(AzureStoreOptions.Names, Storage.GetProperty("variables").GetProperty("containerNames").EnumerateArray().Select(name => name.GetString()!));
        var (redis, database) = (template.Resource("redis", "Microsoft.Cache/redisEnterprise").GetProperty("properties"), template.Resource("redis", "Microsoft.Cache/redisEnterprise/databases").GetProperty("properties"));
        Assert.Equal(("1.2", "Disabled"), (Text(redis, "minimumTlsVersion"), Text(redis, "publicNetworkAccess")));
        Assert.Equal(("Encrypted", "NoEviction"), (Text(database, "clientProtocol"), Text(database, "evictionPolicy")));
    }

    [Fact]
    public void SafetyNet_IsForPacksOnly_AndNeverShorterThanAMessageMayLive()
    {
        var rule = Assert.Single(template.Resource("storage", "Microsoft.Storage/storageAccounts/managementPolicies").GetProperty("properties").GetProperty("policy").GetProperty("rules").EnumerateArray()).GetProperty("definition");
        Assert.Equal(["[format('{0}-spool/', parameters('containerPrefix'))]", "[format('{0}-moved/', parameters('containerPrefix'))]"], rule.GetProperty("filters").GetProperty("prefixMatch").EnumerateArray().Select(one => one.GetString()!));
        var action = Assert.Single(Assert.Single(rule.GetProperty("actions").EnumerateObject()).Value.EnumerateObject());
        Assert.Equal(("delete", "[parameters('safetyNetDays')]"), (action.Name, Text(action.Value, "daysAfterModificationGreaterThan")));
        Assert.Equal(90, Storage.GetProperty("parameters").GetProperty("safetyNetDays").GetProperty("minValue").GetInt32());
        Assert.Equal(90, template.Root.GetProperty("parameters").GetProperty("safetyNetDays").GetProperty("minValue").GetInt32());
        Assert.StartsWith("[if(greater(parameters('safetyNetDays'), parameters('longestLifetimeDays')), createObject('value', parameters('safetyNetDays')), createObject('value', fail(", template.Parameter("storage", "safetyNetDays"), StringComparison.Ordinal);
    }

    [Fact]
    public void Parameters_AreAllDescribed_AndNoOutputIsASecret()
    {
        Assert.All(template.Root.GetProperty("parameters").EnumerateObject(), parameter => Assert.False(string.IsNullOrEmpty(Text(parameter.Value.GetProperty("metadata"), "description")), parameter.Name));
        Assert.DoesNotContain("listKeys", template.Root.GetRawText(), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void Identities_AreTakenOnByTheirOwnRolesPods()
    {
        var pods = template.Resource("identities", "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials").GetProperty("properties");
        Assert.Equal("[format('system:serviceaccount:{0}:{1}', parameters('namespace'), variables('accounts')[copyIndex()].subject)]", Text(pods, "subject"));
        var variables = template.Module("identities").GetProperty("variables");
        Assert.Equal(["ingress", "grains", "egress", "api"], variables.GetProperty("roles").EnumerateArray().Select(role => role.GetString()!));
        Assert.Equal("[concat(variables('first'), variables('further'))]", Text(variables, "accounts"));
        Assert.Contains("createObject('identity', lambdaVariables('i'), 'name', 'pods', 'subject', format('{0}-{1}', parameters('fullname'), variables('roles')[lambdaVariables('i')]))", Text(variables, "first"), StringComparison.Ordinal);
        // Further releases are egress: the third identity, and service accounts of this name alone.
        Assert.Contains("createObject('identity', 2, 'name', lambdaVariables('release'), 'subject', format('{0}-egress', lambdaVariables('release')))", Text(variables, "further"), StringComparison.Ordinal);
    }

    [Fact]
    public void Administrators_AreThoseNamed_OfThisClusterAlone()
    {
        var assignment = template.Module("cluster").GetProperty("resources").EnumerateObject().Select(one => one.Value).Single(one => one.TryGetProperty("copy", out _));
        Assert.Equal(("Microsoft.Authorization/roleAssignments", "[resourceId('Microsoft.ContainerService/managedClusters', parameters('name'))]"), (Text(assignment, "type"), Text(assignment, "scope")));
        Assert.Contains("'b1ff04bb-8a4e-4dc4-8eb5-8693973ce19b'", Text(assignment.GetProperty("properties"), "roleDefinitionId"), StringComparison.Ordinal);
        Assert.Equal("[parameters('administrators')[copyIndex()]]", Text(assignment.GetProperty("properties"), "principalId"));
        Assert.Empty(template.Root.GetProperty("parameters").GetProperty("clusterAdministrators").GetProperty("defaultValue").EnumerateArray());
    }

    private List<string> Definition(string right, string kind) => [.. Storage.GetProperty("variables").GetProperty("definitions").EnumerateArray().Single(one => Text(one, "right") == right).GetProperty(kind).EnumerateArray().Select(action => template.Unfold(action.GetString()!, Storage))];

    private static string Text(JsonElement element, string name) => element.GetProperty(name).GetString()!;
}

/// <summary>The compiled template, made once for the class.</summary>
public sealed class AzureTemplate
{
    private static readonly string s_compiler = typeof(AzureTemplate).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(one => one.Key == "Bicep").Value!;

    public AzureTemplate()
    {
        Complaints = Build("build", "main.bicep", out var json);
        Root = JsonDocument.Parse(json).RootElement;
    }

    public string Complaints { get; }

    public JsonElement Root { get; }

    public JsonElement Module(string name) => Root.GetProperty("resources").GetProperty(name).GetProperty("properties").GetProperty("template");

    /// <summary>The module's one resource of a type; with names of their own or in a list, as the compiler sees fit.</summary>
    public JsonElement Resource(string module, string type)
    {
        var resources = Module(module).GetProperty("resources");
        IEnumerable<JsonElement> all = resources.ValueKind == JsonValueKind.Array ? resources.EnumerateArray() : resources.EnumerateObject().Select(resource => resource.Value);
        return all.Single(resource => resource.GetProperty("type").GetString() == type);
    }

    /// <summary>The expression that a module's parameter is given, when it is a condition.</summary>
    public string Parameter(string module, string name) => Root.GetProperty("resources").GetProperty(module).GetProperty("properties").GetProperty("parameters").GetProperty(name).GetString()!;

    /// <summary>A text with the constants of its file written out: `[format('…{0}', variables('service'))]`.</summary>
    public string Unfold(string text, JsonElement module)
    {
        if (!text.StartsWith("[format('", StringComparison.Ordinal)) return text;
        var end = text.LastIndexOf("', ", StringComparison.Ordinal);
        var argument = text[(end + 3)..^2];
        var format = text["[format('".Length..end].Replace("''", "'", StringComparison.Ordinal);
        return argument.StartsWith("variables('", StringComparison.Ordinal) && module.GetProperty("variables").TryGetProperty(argument["variables('".Length..^2], out var constant)
            ? format.Replace("{0}", Unfold(constant.GetString()!, module), StringComparison.Ordinal).Replace("{{", "{", StringComparison.Ordinal).Replace("}}", "}", StringComparison.Ordinal) : format;
    }

    /// <summary>What the compiler says of a file: nothing, when all is well.</summary>
    public string Build(string command, string file, out string output)
    {
        var start = new ProcessStartInfo(s_compiler, [command, Repository.Path("infra", "azure", file), "--stdout"]) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var compiler = Process.Start(start)!;
        var complaints = compiler.StandardError.ReadToEndAsync();
        output = compiler.StandardOutput.ReadToEnd();
        compiler.WaitForExit();
        return complaints.Result + (compiler.ExitCode == 0 ? "" : $"exit code {compiler.ExitCode}");
    }
}
